"""Where the body of a request ends in what a connection carries (RFC 9112, section 6). Pure."""

import re

MAX_LINE_BYTES = 4096
"""Longest line between the chunks of a body, and of its trailer section."""

MAX_TRAILER_BYTES = 64 * 1024
"""Longest trailer section."""

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\r]*)?")


class SizedBody:
    """A body of `length` bytes. `is_complete` says whether all of it was fed; `rest` is what came behind it."""

    problem: str | None = None

    def __init__(self, length: int) -> None:
        self._left = length
        self.rest = b""

    @property
    def is_complete(self) -> bool:
        """Whether the body has been fed to its end."""
        return not self._left

    def feed(self, received: bytes) -> bytes:
        """Return the part of `received` that belongs to the body."""
        if len(received) > self._left:
            received, self.rest = received[: self._left], received[self._left :]
        self._left -= len(received)
        return received


class ChunkedBody:
    """A body in chunks, whose trailer section is ignored. `rest` is what came behind it.

    `problem` says why the bytes are not such a body, or is None. What came before the problem counts.
    """

    def __init__(self) -> None:
        self.is_complete = False
        self.problem: str | None = None
        self.rest = b""
        # What of the current chunk is still to come: None between chunks. Then bytes of a line that is not complete.
        self._left: int | None = None
        self._line = b""
        self._in_trailer = False
        self._trailer_bytes = 0

    def feed(self, received: bytes) -> bytes:
        """Return the bytes of the body in `received`."""
        parts = []
        position = 0
        while position < len(received) and not self.is_complete and self.problem is None:
            if self._left:
                part = received[position : position + self._left]
                self._left -= len(part)
                position += len(part)
                parts.append(part)
            else:
                position = self._take_line(received, position)
        self.rest = received[position:] if self.is_complete else b""
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _take_line(self, received: bytes, position: int) -> int:
        """Read as much of a line as there is, and return where it ends."""
        end = received.find(b"\n", position)
        stop = len(received) if end < 0 else end + 1
        self._line += received[position:stop]
        if len(self._line) > MAX_LINE_BYTES:
            self.problem = "a line between its chunks is too long"
        elif end >= 0:
            line, self._line = self._line, b""
            self._end_line(line)
        return stop

    def _end_line(self, line: bytes) -> None:
        if not line.endswith(b"\r\n"):
            self.problem = "a line between its chunks ends without CR"
        elif self._in_trailer:
            self._trailer_bytes += len(line)
            self.is_complete = line == b"\r\n"
            if self._trailer_bytes > MAX_TRAILER_BYTES:
                self.problem = "its trailer section is too long"
        elif self._left == 0:
            self._left = None
            if line != b"\r\n":
                self.problem = "a chunk is longer than its size"
        elif (size := _SIZE_LINE.fullmatch(line[:-2])) is None:
            self.problem = "the size of a chunk is not a hexadecimal number"
        else:
            self._left = int(size[1], 16) or None
            self._in_trailer = self._left is None
