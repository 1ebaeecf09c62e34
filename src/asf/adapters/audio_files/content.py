"""The identity of files, and the bytes by which growth is distinguished from a rewrite."""

import os
from contextlib import suppress

from asf.domain.errors import AudioChanged, AudioUnavailable

TAIL_BYTES = 64
"""Bytes at the end of a growing file that are compared with their earlier content, to distinguish growth from a
rewrite."""


def identity_of(path: str, status: os.stat_result, *, keeps_inode: bool = True) -> tuple[str | int, ...]:
    """Return what is equal for the same content at the same path, on every machine that mounts the file system.

    `keeps_inode` says whether the file keeps its inode number as long as it exists.
    """
    # Without the device: a network file system has another one on each machine, and the ETag must be the same.
    return (path, status.st_ino if keeps_inode else 0, status.st_size, status.st_mtime_ns)


def read_tail(descriptor: int, size: int) -> bytes:
    """Return the last `TAIL_BYTES` before byte `size`. Raises OSError."""
    start = max(0, size - TAIL_BYTES)
    return os.pread(descriptor, size - start, start)


def check_growth(descriptor: int, new_size: int, size: int, tail: bytes) -> None:
    """Check that a file of `size` bytes that ended with `tail` has only grown. Raises `AudioChanged`, OSError."""
    if new_size < size:
        raise AudioChanged(f"The file shrank from {size} to {new_size} bytes.")
    if read_tail(descriptor, size) != tail:
        raise AudioChanged("The file was rewritten while it was growing.")


def unreadable(error: OSError) -> AudioUnavailable:
    """Return the error that listeners get instead of `error`."""
    return AudioUnavailable(f"Reading failed: {os.strerror(error.errno or 0)}.")


def close(descriptor: int) -> None:
    """Close a descriptor. It is free afterwards, whatever the file system reports (close(2))."""
    with suppress(OSError):
        os.close(descriptor)
