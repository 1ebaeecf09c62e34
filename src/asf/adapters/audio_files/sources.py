"""Finds and opens files below the audio roots, and nowhere else."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from asf.adapters.audio_files.beneath import check_name, is_beneath, open_beneath, status_of_regular
from asf.adapters.audio_files.content import unreadable
from asf.adapters.audio_files.direct import FileAudioSource
from asf.adapters.locator_syntax import path_of
from asf.adapters.media_types import named_type
from asf.domain.errors import AudioUnavailable, InvalidFilepath
from asf.domain.streams.stream import FileLocator, Locator


class FileAudioSources:
    """Files below `roots`: implements the `AudioSources` port.

    Confinement is checked twice. `locate` resolves symbolic links and rejects paths outside the roots. `open`
    resolves again, as the file may not have existed before, and then walks down from the root without following
    links, so that a link that is swapped in meanwhile cannot lead outside.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self._roots = [Path(root) for root in roots]
        self._resolved_roots = [os.path.realpath(root) for root in self._roots]

    def unreachable(self) -> dict[str, str]:
        """Return the roots that are not readable directories, and why."""
        problems = {}
        for root in self._roots:
            try:
                with os.scandir(root):
                    pass
            except OSError as error:
                problems[str(root)] = f"{os.strerror(error.errno or 0)}."
        return problems

    def locate(self, filepath: str) -> Locator:
        """Return the absolute, link-free path. A relative one is resolved from the working directory.

        Accepts a path or a `file://` URL. Raises `InvalidFilepath`.
        """
        path = path_of(filepath)
        check_name(path)
        resolved = os.path.realpath(path)
        if self._root_of(resolved) is None:
            raise InvalidFilepath(f"'{resolved}' is not below one of the audio roots.")
        return FileLocator(resolved)

    def content_type_of(self, locator: Locator) -> str | None:
        """Return the media type by the file's name, or None."""
        return named_type(locator.text)

    def open(self, locator: Locator, *, growing: bool = False) -> FileAudioSource:
        """Open the file. Raises `AudioUnavailable`."""
        path = locator.text
        try:
            descriptor = self._open_as_located(path)
            if descriptor is None:
                descriptor = self._open_resolved(path)
        except OSError as error:
            raise AudioUnavailable(f"{os.strerror(error.errno or 0)}.") from error
        try:
            status = status_of_regular(descriptor)
            return FileAudioSource(descriptor, status, path, named_type(path), growing=growing)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, OSError):
                raise unreadable(error) from error
            raise

    def _open_as_located(self, path: str) -> int | None:
        """Open a located path, which has no links; return None if it is no longer like that."""
        for root in self._resolved_roots:
            if path.startswith(root + os.sep):
                with suppress(OSError):
                    return open_beneath(root, path)
        return None

    def _open_resolved(self, path: str) -> int:
        """Open what a path resolves to now."""
        resolved = os.path.realpath(path)
        root = self._root_of(resolved)
        if root is None:
            raise AudioUnavailable("The path leads outside the audio roots.")
        return open_beneath(root, resolved)

    def _root_of(self, resolved: str) -> str | None:
        for root in map(os.path.realpath, self._roots):
            if is_beneath(resolved, root):
                return root
        return None
