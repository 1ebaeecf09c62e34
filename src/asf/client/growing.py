"""The file of audio that is being generated."""

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class GrowingAudio(io.BufferedIOBase):
    """A writable file for audio. Written bytes are available to listeners immediately.

    `stream_id` and `epoch` are those of the stream; `total_bytes` is how much has been written.
    """

    def __init__(self, file: io.FileIO, stream_id: str, epoch: str) -> None:
        self.stream_id = stream_id
        self.epoch = epoch
        self.total_bytes = 0
        self._file = file

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return how many bytes have been written."""
        return self._file.tell()

    def write(self, audio: "ReadableBuffer", /) -> int:
        """Write all of `audio`, and return its length in bytes. Raises OSError."""
        rest = memoryview(audio).cast("B")
        length = len(rest)
        while rest:
            written = self._file.write(rest) or 0
            self.total_bytes += written
            rest = rest[written:]
        return length

    def close(self) -> None:
        """Close the file. Idempotent."""
        try:
            super().close()
        finally:
            self._file.close()


@contextmanager
def out_of_the_way(path: Path) -> Iterator[None]:
    """Move an existing file at `path` out of the way; on exit delete it, or restore it after an exception.

    Listeners of the earlier audio finish on the file that they have open, so no listener receives a mixture. Raises
    IsADirectoryError for a directory.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    aside = path.with_name(f".{uuid4().hex}")
    try:
        path.rename(aside)
    except (FileNotFoundError, NotADirectoryError):
        yield
        return
    try:
        yield
    except BaseException:
        aside.rename(path)
        raise
    aside.unlink()
