"""Lines in bytes that arrive in pieces of any size. Pure."""

from typing import Final

TOO_LONG: Final = None
"""In the place of a line that is longer than permitted."""


class LineSplitter:
    """Splits what is fed to it at line feeds, and drops the rest of lines longer than `max_bytes`.

    Whatever the pieces, the lines are the same. Holds at most `max_bytes` and the piece that is fed.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []  # of the line that has no end yet
        self._size = 0
        self._is_too_long = False  # Its rest is dropped; `TOO_LONG` was returned for it.

    @property
    def held_bytes(self) -> int:
        """How many bytes of a line that has no end yet are kept."""
        return sum(map(len, self._parts))

    def feed(self, piece: bytes) -> list[bytes | None]:
        """Return the lines that end in `piece`, without their ends, and `TOO_LONG` for each that has become so."""
        lines: list[bytes | None] = []
        *ended, rest = piece.split(b"\n")
        for part in ended:
            if self._parts or self._is_too_long or len(part) > self._max_bytes:
                self._add(part, lines)
                lines.extend(self.end())
            else:
                lines.append(part)
        self._add(rest, lines)
        return lines

    def end(self) -> list[bytes | None]:
        """Return the last line, if it has not ended with a line feed and is not empty."""
        lines: list[bytes | None] = [b"".join(self._parts)] if self._parts else []
        self._parts, self._size, self._is_too_long = [], 0, False
        return lines

    def _add(self, part: bytes, lines: list[bytes | None]) -> None:
        """Add a part to the line that has no end yet."""
        if self._is_too_long or not part:
            return
        self._size += len(part)
        if self._size > self._max_bytes:
            self._parts, self._is_too_long = [], True
            lines.append(TOO_LONG)
        else:
            self._parts.append(part)
