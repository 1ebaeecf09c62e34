"""Storage and audio in this process's memory: for tests, simulations, and servers that may forget."""

from collections.abc import Mapping

from asf.domain.errors import AudioUnavailable, InvalidFilepath
from asf.domain.streams import AudioStream, FileLocator, Locator


class InMemoryCatalogStore:
    """Implements the `CatalogStore` port. What it keeps ends with the process."""

    def __init__(self) -> None:
        self._streams: dict[str, AudioStream] = {}

    def put(self, stream: AudioStream) -> None:
        """Keep `stream`, in place of an earlier one of the same id."""
        self._streams[stream.stream_id] = stream

    def get(self, stream_id: str) -> AudioStream | None:
        """Return the stream of that id, or None."""
        return self._streams.get(stream_id)

    def count(self) -> int:
        """Return how many streams are kept."""
        return len(self._streams)


class InMemoryAudioSource:
    """One audio in memory: implements the `AudioSource` port."""

    content_type = "audio/mpeg"

    def __init__(self, data: bytes) -> None:
        self._data: bytes | None = data
        self.size = len(data)
        self.identity = data

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset` on. Raises `AudioUnavailable`."""
        if self._data is None:
            raise AudioUnavailable("It is closed.")
        data = self._data[offset : offset + length]
        if len(data) < length:
            raise AudioUnavailable(f"It ends at byte {self.size}.")
        return data

    def close(self) -> None:
        """Forget the data."""
        self._data = None


class InMemoryAudioSources:
    """Audio by name, from a mapping: implements the `AudioSources` port."""

    def __init__(self, audios: Mapping[str, bytes]) -> None:
        self._audios = audios

    def locate(self, filepath: str) -> Locator:
        """Return where `filepath` points; absolute paths and those that climb with `..` are refused."""
        if filepath.startswith("/") or ".." in filepath.split("/"):
            raise InvalidFilepath(f"'{filepath}' is outside.")
        return FileLocator(filepath)

    def open(self, locator: Locator) -> InMemoryAudioSource:
        """Open the audio of that name. Raises `AudioUnavailable`."""
        data = self._audios.get(locator.path)
        if data is None:
            raise AudioUnavailable("There is no such audio.")
        return InMemoryAudioSource(data)
