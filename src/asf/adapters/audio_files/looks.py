"""What is known of a file after looking at it. The functions here block: they run in worker threads."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from asf.adapters.audio_files.beneath import status_of_regular
from asf.adapters.audio_files.content import check_growth, identity_of, read_tail
from asf.domain.errors import AudioChanged, AudioUnavailable
from asf.domain.streaming.audio import SNIFFED_BYTES

RECENT_BYTES = 256 * 1024
"""How much of the end of a growing file is kept, so that those at its live edge wait for one call and not for two."""


@dataclass(frozen=True, slots=True, eq=False)
class FilePlace:
    """Where a file is: its path, how it is opened, and whether its inode number says which file it is.

    `open` returns a descriptor, and raises OSError and `AudioUnavailable`.
    """

    path: str
    open: Callable[[], int]
    keeps_inode: bool


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A file as it was when it was looked at: its length, its first bytes, and the `recent` ones at its end."""

    descriptor: int
    size: int
    inode: int
    identity: tuple[str | int, ...]
    beginning: bytes
    recent: bytes
    tail: bytes


def first_look(place: FilePlace, *, growing: bool, sniff: bool) -> Look:
    """Open the file and look at it; with `sniff` its first bytes are read. Raises OSError, `AudioUnavailable`."""
    descriptor = place.open()
    try:
        status = status_of_regular(descriptor)
        beginning = os.pread(descriptor, SNIFFED_BYTES, 0) if growing or sniff else b""
        size, recent = _read_recent(descriptor, 0, status.st_size, b"") if growing else (status.st_size, b"")
        return _look(place, descriptor, status, size, beginning, recent)
    except BaseException:
        os.close(descriptor)
        raise


def look_again(place: FilePlace, known: Look, *, reopen: bool) -> Look:
    """Look at a file that may only have grown. The descriptor of the result is another one if it was reopened.

    With `reopen`, and where the path shows another length than the descriptor, the file is opened once more: then
    network file systems ask their server, and those whose descriptors keep to what they were opened on show the rest.
    Raises `AudioChanged` when it has not grown but changed or is gone, `AudioUnavailable`, OSError.
    """
    status = None if reopen else _status_by_descriptor(place, known)
    if status is not None:
        return _grown(place, known, known.descriptor, status)
    _named(place.path)
    descriptor = place.open()
    try:
        status = status_of_regular(descriptor)
        _check_same(place, known, descriptor, status)
        return _grown(place, known, descriptor, status)
    except BaseException:
        os.close(descriptor)
        raise


def checked_read(place: FilePlace, known: Look, offset: int, length: int, *, growing: bool) -> bytes:
    """Return exactly `length` bytes from `offset` of the file as it is known. Raises `AudioUnavailable`, OSError."""
    data = os.pread(known.descriptor, length, offset)
    status = os.fstat(known.descriptor)
    # The bytes are valid only if the file is the same after the read.
    if growing:
        check_growth(known.descriptor, status.st_size, known.size, known.tail)
    elif identity_of(place.path, status, keeps_inode=place.keeps_inode) != known.identity:
        raise AudioChanged("The file was changed while it was streamed.")
    if len(data) < length:
        raise AudioUnavailable(f"The file ends at byte {offset + len(data)}.")
    return data


def _status_by_descriptor(place: FilePlace, known: Look) -> os.stat_result | None:
    """Return the status of the opened file, or None if only opening it once more can show how it is now."""
    try:
        status = os.fstat(known.descriptor)
        named = _named(place.path)
    except OSError:  # The handle is stale, perhaps.
        return None
    if place.keeps_inode:
        if named.st_ino != status.st_ino:
            raise _replaced()
        return status
    return status if named.st_size == status.st_size else None


def _check_same(place: FilePlace, known: Look, descriptor: int, status: os.stat_result) -> None:
    """Check that the file that was opened once more is the known one. Raises `AudioChanged`, OSError."""
    if place.keeps_inode and status.st_ino != known.inode:
        raise _replaced()
    if os.pread(descriptor, len(known.beginning), 0) != known.beginning:
        raise _replaced()
    start = known.size - len(known.recent)
    if status.st_size >= known.size and os.pread(descriptor, len(known.recent), start) != known.recent:
        raise _replaced()


def _grown(place: FilePlace, known: Look, descriptor: int, status: os.stat_result) -> Look:
    check_growth(descriptor, status.st_size, known.size, known.tail)
    size, recent = _read_recent(descriptor, known.size, status.st_size, known.recent)
    beginning = known.beginning
    if len(beginning) < SNIFFED_BYTES and size > len(beginning):
        beginning = os.pread(descriptor, SNIFFED_BYTES, 0)
    return _look(place, descriptor, status, size, beginning, recent)


def _look(
    place: FilePlace, descriptor: int, status: os.stat_result, size: int, beginning: bytes, recent: bytes
) -> Look:
    identity = identity_of(place.path, status, keeps_inode=place.keeps_inode)
    return Look(descriptor, size, status.st_ino, identity, beginning, recent, read_tail(descriptor, size))


def _read_recent(descriptor: int, old_size: int, new_size: int, recent: bytes) -> tuple[int, bytes]:
    """Return the size up to which there are bytes, and the last ones before it."""
    start = max(old_size, new_size - RECENT_BYTES)
    data = os.pread(descriptor, new_size - start, start) if new_size > start else b""
    if not data:
        return old_size, recent
    kept = (recent if start == old_size else b"") + data
    return start + len(data), kept[-RECENT_BYTES:]


def _named(path: str) -> os.stat_result:
    """Return the status of what is at `path` now. Raises `AudioChanged` if that is nothing, OSError."""
    try:
        return os.stat(path)  # noqa: PTH116 - many times a second
    except FileNotFoundError:
        raise _replaced() from None


def _replaced() -> AudioChanged:
    return AudioChanged("The file was deleted, moved or replaced while it was growing.")
