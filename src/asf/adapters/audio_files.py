"""Audio from files below the audio roots, and from nowhere else."""

import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path, PurePath

from asf.adapters.locator_syntax import path_of
from asf.adapters.media_types import SNIFFED_BYTES, named_type, sniffed_type
from asf.domain.errors import AudioChanged, AudioUnavailable, InvalidFilepath
from asf.domain.streaming.audio import UNKNOWN_CONTENT_TYPE
from asf.domain.streams.stream import AudioEnding, FileLocator, Locator

MAX_PATH_BYTES = 4096
"""Longest path: the kernel's limit (PATH_MAX)."""

TAIL_BYTES = 64
"""Bytes at the end of a growing file that are compared with their earlier content, to tell growth from a rewrite."""


class FileAudioSource:
    """One opened file: implements the `AudioSource` port.

    A growing file may only be appended to, under the same path; any other must stay as it was opened. Reads return at
    once.
    """

    ending: AudioEnding | None = None

    def __init__(self, descriptor: int, path: str, named_type: str | None, *, growing: bool) -> None:
        status = os.fstat(descriptor)
        self._descriptor = descriptor
        self._path = path
        self._content_type = named_type
        self._growing = growing
        self.on_arrival: Callable[[], None] = _ignore
        self.size = status.st_size
        self.identity = _identity_of(path, status)
        self._tail = self._read_tail() if growing else b""

    @property
    def content_type(self) -> str:
        """The media type by the file's name, or else by its first bytes."""
        if self._content_type is None and self.size:
            self._content_type = sniffed_type(self.read(0, min(self.size, SNIFFED_BYTES)))
        return self._content_type or UNKNOWN_CONTENT_TYPE

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`. Raises `AudioUnavailable`, `AudioChanged`."""
        try:
            data = os.pread(self._descriptor, length, offset)
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise _unreadable(error) from error
        # The bytes are valid only if the file is the same after the read.
        if self._growing:
            self._check_growth(status)
        elif _identity_of(self._path, status) != self.identity:
            raise AudioChanged("The file was changed while it was streamed.")
        if len(data) < length:
            raise AudioUnavailable(f"The file ends at byte {offset + len(data)}.")
        return data

    def refresh(self) -> int:
        """Return the current length. Raises `AudioChanged`, or `AudioUnavailable` if it cannot be read."""
        self._grow(self._current_status())
        return self.size

    def finalize(self) -> int:
        """Refresh for the last time, and return the length. From now on the file must not change."""
        status = self._current_status()
        self._grow(status)
        self.identity = _identity_of(self._path, status)
        self._growing = False
        return self.size

    def _grow(self, status: os.stat_result) -> None:
        if status.st_size > self.size:
            self.size = status.st_size
            self._tail = self._read_tail()

    def _current_status(self) -> os.stat_result:
        try:
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise _unreadable(error) from error
        self._check_growth(status)
        try:
            named = os.stat(self._path)  # noqa: PTH116 - fifty times a second
        except OSError:
            named = None
        if named is None or (named.st_dev, named.st_ino) != (status.st_dev, status.st_ino):
            raise AudioChanged("The file was deleted, moved or replaced while it was growing.")
        return status

    def _check_growth(self, status: os.stat_result) -> None:
        if status.st_size < self.size:
            raise AudioChanged(f"The file shrank from {self.size} to {status.st_size} bytes.")
        if self._read_tail() != self._tail:
            raise AudioChanged("The file was rewritten while it was growing.")

    def _read_tail(self) -> bytes:
        """Return the last bytes before `size`."""
        start = max(0, self.size - TAIL_BYTES)
        try:
            return os.pread(self._descriptor, self.size - start, start)
        except OSError as error:
            raise _unreadable(error) from error

    def close(self) -> None:
        """Close the file. Safe to repeat."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            _close(descriptor)


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
        _check_name(path)
        resolved = os.path.realpath(path)
        if self._root_of(resolved) is None:
            raise InvalidFilepath(f"'{resolved}' is not below one of the audio roots.")
        return FileLocator(resolved)

    def content_type_of(self, locator: Locator) -> str | None:
        """Return the media type by the file's name, or None."""
        return named_type(locator.text)

    def open(self, locator: Locator, *, growing: bool = False) -> FileAudioSource:
        """Open the file. Raises `AudioUnavailable`."""
        try:
            descriptor = self._open_as_located(locator.text)
            if descriptor is None:
                descriptor = self._open_resolved(locator.text)
        except OSError as error:
            raise AudioUnavailable(f"{os.strerror(error.errno or 0)}.") from error
        try:
            return _source_of(descriptor, locator.text, growing=growing)
        except OSError as error:
            _close(descriptor)
            raise _unreadable(error) from error
        except AudioUnavailable:
            _close(descriptor)
            raise

    def _open_as_located(self, path: str) -> int | None:
        """Open a located path, which has no links; return None if it is no longer like that."""
        for root in self._resolved_roots:
            if path.startswith(root + os.sep):
                with suppress(OSError):
                    return _open_beneath(root, path)
        return None

    def _open_resolved(self, path: str) -> int:
        """Open what a path resolves to now."""
        resolved = os.path.realpath(path)
        root = self._root_of(resolved)
        if root is None:
            raise AudioUnavailable("The path leads outside the audio roots.")
        return _open_beneath(root, resolved)

    def _root_of(self, resolved: str) -> str | None:
        for root in map(os.path.realpath, self._roots):
            if resolved != root and os.path.commonpath([resolved, root]) == root:
                return root
        return None


def _source_of(descriptor: int, path: str, *, growing: bool) -> FileAudioSource:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise AudioUnavailable("It is not a regular file.")
    return FileAudioSource(descriptor, path, named_type(path), growing=growing)


def _ignore() -> None:
    pass


def _check_name(path: str) -> None:
    if "\0" in path:
        raise InvalidFilepath("It contains a NUL byte.")
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        raise InvalidFilepath("It cannot be encoded as a file name.") from None
    if length > MAX_PATH_BYTES:  # The time to resolve it grows with the square of the length.
        raise InvalidFilepath(f"It has {length} bytes; at most {MAX_PATH_BYTES} are allowed.")


def _open_beneath(root: str, path: str) -> int:
    """Open `path`, which is below `root`, for reading, without following links or blocking on a pipe or device."""
    parts = PurePath(path).relative_to(root).parts
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            os.close(directory)
            directory = below
        return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    finally:
        os.close(directory)


def _close(descriptor: int) -> None:
    with suppress(OSError):  # The descriptor is free, whatever the file system reports (close(2)).
        os.close(descriptor)


def _identity_of(path: str, status: os.stat_result) -> tuple[str | int, ...]:
    # Without the device: a network file system has another one on each machine, and the ETag must be the same.
    return (path, status.st_ino, status.st_size, status.st_mtime_ns)


def _unreadable(error: OSError) -> AudioUnavailable:
    return AudioUnavailable(f"Reading failed: {os.strerror(error.errno or 0)}.")
