"""Reads and writes pipes of programs.

With `os.read` and `os.write`: the server replaces them by cooperative ones. Its pipes do not block, so the methods of
file objects may read or write less than they are asked to.
"""

import os
from typing import IO

READ_BYTES = 1 << 16


class PipeReader:
    """Reads lines and blocks of known lengths from a pipe."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        if pipe is None:
            raise ValueError("It is not a pipe.")
        self._descriptor = pipe.fileno()
        self._buffer = bytearray()

    def line(self) -> bytes:
        """Return the next line with its end; empty at the end of what is written, or if that is within the line."""
        while (end := self._buffer.find(b"\n")) < 0:
            if not self._fill():
                return b""
        return self._take(end + 1)

    def exactly(self, length: int) -> bytes:
        """Return so many bytes; fewer at the end of what is written."""
        while len(self._buffer) < length and self._fill():
            pass
        return self._take(length)

    def rest(self) -> bytes:
        """Return all up to the end of what is written."""
        while self._fill():
            pass
        return self._take(len(self._buffer))

    def _fill(self) -> bool:
        piece = os.read(self._descriptor, READ_BYTES)
        self._buffer += piece
        return bool(piece)

    def _take(self, length: int) -> bytes:
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken


def write_all(pipe: IO[bytes] | None, data: bytes) -> None:
    """Write all of `data`. Raises BrokenPipeError if nobody reads it."""
    if pipe is None:
        raise ValueError("It is not a pipe.")
    descriptor, rest = pipe.fileno(), memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
