"""Audio from files below the audio roots, and from nowhere else."""

import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

import filetype

from asf.domain.errors import AudioChanged, AudioUnavailable, InvalidFilepath
from asf.domain.streaming.audio import UNKNOWN_CONTENT_TYPE
from asf.domain.streams.stream import AudioEnding, FileLocator, Locator

CONTENT_TYPES = {
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".mp4": "audio/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".webm": "audio/webm",
}
"""Media types by file name suffix, spelled out: the system's own table differs from machine to machine."""

MAX_PATH_BYTES = 4096
"""Longest path: what the kernel takes (PATH_MAX)."""

SNIFFED_BYTES = 1024
"""How much of a file is looked at where its name does not tell its type."""

SNIFFED_TYPES = {
    "audio/x-flac": "audio/flac",
    "audio/x-wav": "audio/wav",
    "video/mp4": "audio/mp4",
    "video/webm": "audio/webm",
}
"""What the library calls otherwise. The containers are also those of video; here they hold audio."""


TAIL_BYTES = 64
"""How many bytes at the end of a growing file are compared with what they were: a new beginning is no growth."""


class FileAudioSource:
    """One opened file: implements the `AudioSource` port.

    A file that is growing may only be appended to, at its place; any other must stay as it was opened. What is read
    is there at once, or not at all.
    """

    ending: AudioEnding | None = None

    def __init__(self, descriptor: int, path: str, named_type: str | None, *, growing: bool) -> None:
        status = os.fstat(descriptor)
        self._descriptor = descriptor
        self._path = path
        self._content_type = named_type
        self._growing = growing
        self.on_arrival: Callable[[], None] = _nothing_arrives
        self.size = status.st_size
        self.identity = _identity_of(path, status)
        self._tail = self._read_tail() if growing else b""

    @property
    def content_type(self) -> str:
        """The media type by the file's name, or else by its first bytes."""
        if self._content_type is None and self.size:
            self._content_type = _sniffed_type(self.read(0, min(self.size, SNIFFED_BYTES)))
        return self._content_type or UNKNOWN_CONTENT_TYPE

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset` on. Raises `AudioUnavailable`."""
        try:
            data = os.pread(self._descriptor, length, offset)
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise _unreadable(error) from error
        # What was read counts only if the file is the same after it.
        if self._growing:
            self._check_growth(status)
        elif _identity_of(self._path, status) != self.identity:
            raise AudioChanged("The file was changed while it was streamed.")
        if len(data) < length:
            raise AudioUnavailable(f"The file ends at byte {offset + len(data)}.")
        return data

    def refresh(self) -> int:
        """Return the file's length by now. Raises `AudioChanged`, or `AudioUnavailable` when it cannot be read."""
        self._grow(self._look())
        return self.size

    def finalize(self) -> int:
        """Do as `refresh`; from now on the file must stay as it is."""
        status = self._look()
        self._grow(status)
        self.identity = _identity_of(self._path, status)
        self._growing = False
        return self.size

    def _grow(self, status: os.stat_result) -> None:
        if status.st_size > self.size:
            self.size = status.st_size
            self._tail = self._read_tail()

    def _look(self) -> os.stat_result:
        try:
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise _unreadable(error) from error
        self._check_growth(status)
        try:
            place = os.stat(self._path)  # noqa: PTH116 - fifty times a second
        except OSError:
            place = None
        if place is None or (place.st_dev, place.st_ino) != (status.st_dev, status.st_ino):
            raise AudioChanged("The file was deleted, moved or replaced while it was growing.")
        return status

    def _check_growth(self, status: os.stat_result) -> None:
        if status.st_size < self.size:
            raise AudioChanged(f"The file shrank to {status.st_size} bytes and had {self.size}.")
        if self._read_tail() != self._tail:
            raise AudioChanged("The file was written anew while it was growing.")

    def _read_tail(self) -> bytes:
        """Return the last bytes before `size`."""
        start = max(0, self.size - TAIL_BYTES)
        try:
            return os.pread(self._descriptor, self.size - start, start)
        except OSError as error:
            raise _unreadable(error) from error

    def close(self) -> None:
        """Close the file. Closing twice does no harm."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class FileAudioSources:
    """Files below `roots`: implements the `AudioSources` port.

    Confinement is checked twice. `locate` resolves symbolic links and refuses what lies outside; `open` resolves
    again, as the file may have come to be only since, and then walks down from the root without following any
    link, so that nothing that is swapped in meanwhile can lead outside.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self._roots = [Path(root) for root in roots]
        self._resolved_roots = [os.path.realpath(root) for root in self._roots]

    def unreachable(self) -> dict[str, str]:
        """Return the roots that are no directories that can be read, and why."""
        problems = {}
        for root in self._roots:
            try:
                with os.scandir(root):
                    pass
            except OSError as error:
                problems[str(root)] = f"{os.strerror(error.errno or 0)}."
        return problems

    def locate(self, filepath: str) -> Locator:
        """Return the absolute, link-free path. A relative one counts from the working directory.

        Accepts a path or a `file://` URL. Raises `InvalidFilepath`.
        """
        path = _path_of(filepath)
        _check_name(path)
        resolved = os.path.realpath(path)
        if self._root_of(resolved) is None:
            raise InvalidFilepath(f"'{resolved}' is not below one of the audio roots.")
        return FileLocator(resolved)

    def content_type_of(self, locator: Locator) -> str | None:
        """Return the media type that the file's name tells, or None."""
        return _named_type(locator.text)

    def open(self, locator: Locator, *, growing: bool = False) -> FileAudioSource:
        """Open the file. Raises `AudioUnavailable`."""
        try:
            descriptor = self._open_as_located(locator.text)
            if descriptor is None:
                descriptor = self._open_resolved(locator.text)
        except OSError as error:
            raise AudioUnavailable(f"{os.strerror(error.errno or 0)}.") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise AudioUnavailable("It is not a regular file.")
        return FileAudioSource(descriptor, locator.text, _named_type(locator.text), growing=growing)

    def _open_as_located(self, path: str) -> int | None:
        """Open a path as it was located, which is without links; return None where it is not like that any more."""
        for root in self._resolved_roots:
            if path.startswith(root + os.sep):
                with suppress(OSError):
                    return _open_beneath(root, path)
        return None

    def _open_resolved(self, path: str) -> int:
        """Open a path by what it leads to now."""
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


def _nothing_arrives() -> None:
    pass


def _path_of(filepath: str) -> str:
    if "://" not in filepath:
        return filepath
    try:
        url = urlsplit(filepath)
    except ValueError as error:
        raise InvalidFilepath(f"It is not a URL: {error}.") from error
    if url.scheme != "file":
        raise InvalidFilepath(f"'{url.scheme}' is not a known scheme; a path or a file:// URL is.")
    if url.netloc not in {"", "localhost"}:
        raise InvalidFilepath("A file:// URL names no other host.")
    return unquote(url.path)


def _check_name(path: str) -> None:
    if "\0" in path:
        raise InvalidFilepath("It contains a NUL byte.")
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        raise InvalidFilepath("It cannot be encoded as a file name.") from None
    if length > MAX_PATH_BYTES:  # Resolving takes time with the square of the length.
        raise InvalidFilepath(f"It has {length} bytes; at most {MAX_PATH_BYTES} are allowed.")


def _open_beneath(root: str, path: str) -> int:
    """Open `path`, which is below `root`, for reading: follow no link, and do not wait for a pipe or device."""
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


def _identity_of(path: str, status: os.stat_result) -> tuple[str | int, ...]:
    # Not the device: on each machine a network file system has another one, and the ETag is to be the same.
    return (path, status.st_ino, status.st_size, status.st_mtime_ns)


def _unreadable(error: OSError) -> AudioUnavailable:
    return AudioUnavailable(f"Reading failed: {os.strerror(error.errno or 0)}.")


def media_type_of(name: str, beginning: bytes) -> str | None:
    """Return the media type that a name tells, or else the first bytes, of which there may be none; or None."""
    return _named_type(name) or (_sniffed_type(beginning) if beginning else None)


def _named_type(path: str) -> str | None:
    return CONTENT_TYPES.get(os.path.splitext(path)[1].lower())  # noqa: PTH122 - at every join


def _sniffed_type(beginning: bytes) -> str | None:
    found = filetype.guess_mime(beginning)
    return SNIFFED_TYPES.get(found, found) if found else None
