"""Opens files below a directory and nowhere else."""

import os
import stat
from pathlib import PurePath

from asf.domain.errors import AudioUnavailable, InvalidFilepath

MAX_PATH_BYTES = 4096
"""Longest path: the kernel's limit (PATH_MAX)."""


def check_name(path: str) -> None:
    """Raise `InvalidFilepath` unless `path` can be the path of a file."""
    if "\0" in path:
        raise InvalidFilepath("It contains a NUL byte.")
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        raise InvalidFilepath("It cannot be encoded as a file name.") from None
    if length > MAX_PATH_BYTES:  # The time to resolve it grows with the square of the length.
        raise InvalidFilepath(f"It has {length} bytes; at most {MAX_PATH_BYTES} are allowed.")


def is_beneath(path: str, root: str) -> bool:
    """Return whether `path` is below `root`, by their texts. Both are absolute, without `..`."""
    return path != root and os.path.commonpath([path, root]) == root


def open_beneath(root: str, path: str) -> int:
    """Open `path`, which is below `root`, for reading, without following links or blocking on a pipe or device.

    Raises OSError.
    """
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


def status_of_regular(descriptor: int) -> os.stat_result:
    """Return the status of an opened file. Raises OSError, and `AudioUnavailable` unless it is a regular file."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise AudioUnavailable("It is not a regular file.")
    return status
