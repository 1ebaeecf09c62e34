"""The file of audio that is being generated."""

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from asf.client.demand import DemandPoll
from asf.client.generated_audio import GeneratedAudio

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class GrowingAudio(GeneratedAudio):
    """A file that the server reads while it grows: the server must have it at the same path."""

    def __init__(self, file: io.FileIO, stream_id: str, epoch: str, demand: DemandPoll | None = None) -> None:
        super().__init__(stream_id, epoch, demand)
        self._file = file

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
