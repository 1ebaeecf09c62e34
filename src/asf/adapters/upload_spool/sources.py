"""Opens uploaded audio for listeners: implements the `AudioSources` port for `upload:NAME`."""

from collections.abc import Callable, Mapping

from asf.adapters.upload_spool.files import FileUploadSpool
from asf.domain.errors import AudioUnavailable, InvalidFilepath, UploadNotFound
from asf.domain.streaming.ports import AudioSource, AudioSources
from asf.domain.streams.stream import FileLocator, Locator


class UploadSources:
    """The files of `spool`, which `files` reads: those of its directory, and no others.

    `is_local` returns whether opening a file waits for no other machine or process.
    """

    def __init__(self, spool: FileUploadSpool, files: AudioSources, is_local: Callable[[Locator], bool]) -> None:
        self._spool = spool
        self._files = files
        self._is_local = is_local

    def unreachable(self) -> Mapping[str, str]:
        """Return nothing: the directory exists only when something was uploaded."""
        return {}

    def locate(self, filepath: str) -> Locator:
        """Raise `InvalidFilepath`: only an upload brings its audio into the catalog."""
        raise InvalidFilepath(f"'{filepath}' is uploaded audio, which cannot be announced.")

    def is_local(self, locator: Locator) -> bool:  # noqa: ARG002 - all are in one directory
        """Return whether opening the audio waits for no other machine or process."""
        return self._is_local(FileLocator(str(self._spool.directory / "any")))

    def content_type_of(self, locator: Locator) -> str | None:  # noqa: ARG002 - no name suggests a type
        """Return None: the type is as declared, or else by content."""
        return None

    def open(self, locator: Locator, *, growing: bool = False) -> AudioSource:
        """Open the file. Raises `AudioUnavailable`."""
        try:
            path = self._spool.path_of(locator)
        except UploadNotFound as error:
            raise AudioUnavailable(f"'{locator.text}' is not uploaded audio.") from error
        return self._files.open(FileLocator(str(path)), growing=growing)
