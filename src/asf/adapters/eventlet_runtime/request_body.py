"""The body of a request as the WSGI library reads it, within limits."""

import time
from collections.abc import Callable
from typing import Any

import eventlet
import eventlet.wsgi

from asf.adapters.eventlet_runtime.streamed_body import take_buffered

DISCARDED_AT_ONCE = 16 * 1024
"""Bytes that are read at once of a body that the application did not read."""

MAX_LINE_BYTES = 4096
"""Longest line between the chunks of a request's body."""


class DeadlineInput:
    """The body of a request, which must arrive within `seconds`.

    Otherwise `on_timeout` is called, and reading raises TimeoutError.
    """

    def __init__(self, body: Any, seconds: float, on_timeout: Callable[[], object]) -> None:
        self._body = body
        self._on_timeout = on_timeout
        self._due = time.monotonic() + seconds

    def read(self, size: int | None = None) -> bytes:
        """Return at most `size` bytes. Raises TimeoutError."""
        return self._in_time(self._body.read, size)

    def readline(self, size: int | None = None) -> bytes:
        """Return the rest of a line, at most `size` bytes of it. Raises TimeoutError."""
        return self._in_time(self._body.readline, size)

    def discard(self) -> None:
        """Read what the application has not read, so that the next request can follow. Raises TimeoutError."""
        while self.read(DISCARDED_AT_ONCE):
            pass

    def _in_time(self, read: Callable[[int | None], bytes], size: int | None) -> bytes:
        try:
            with eventlet.Timeout(max(0.001, self._due - time.monotonic()), TimeoutError()):
                return read(size)
        except TimeoutError:
            self._on_timeout()
            raise


class BodyFile:
    """A request's body with bounded lines: the sizes of chunks, their extensions, and trailers.

    `is_empty` says that the server's buffer is known to hold nothing behind the head.
    """

    def __init__(self, file: Any, *, is_empty: bool) -> None:
        self._file = file
        self._is_empty = is_empty
        self.read = file.read
        self.close = file.close

    def buffered(self) -> bytes:
        """Return what the buffer holds. The socket must not wait: what has arrived is read if it is not known."""
        return b"" if self._is_empty else take_buffered(self._file)

    def readline(self, size: int = -1) -> bytes:
        """Return the next line.

        Raises `ChunkReadError` for a line between chunks that is longer than `MAX_LINE_BYTES`, or that the end of the
        connection cuts: what is left of the size of a chunk is another size.
        """
        line: bytes = self._file.readline(MAX_LINE_BYTES if size < 0 else size)
        if size < 0 and not line.endswith(b"\n"):
            raise eventlet.wsgi.ChunkReadError("A line of the body is too long, or cut.")
        return line
