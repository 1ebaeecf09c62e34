"""The file that the WSGI library writes responses to."""

from collections.abc import Iterable
from typing import Any


class ResponseFile:
    """Collects what is written, and sends it at each `flush`. Has no buffer, which a connection would keep.

    What could not be sent is kept, and sent first by the next `flush`.
    """

    __slots__ = ("_connection", "_unsent", "closed")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._unsent: list[bytes | memoryview] = []
        self.closed = False

    def write(self, data: bytes) -> int:
        """Take `data`, to be sent by `flush`."""
        self._unsent.append(data)
        return len(data)

    def writelines(self, lines: Iterable[bytes]) -> None:
        """Take all `lines`."""
        self._unsent.extend(lines)

    def flush(self) -> None:
        """Send all that was taken. Raises OSError."""
        if not self._unsent:
            return
        rest = memoryview(self._unsent[0] if len(self._unsent) == 1 else b"".join(self._unsent))
        self._unsent = [rest]
        while rest:
            rest = self._unsent[0] = rest[self._connection.send(rest) :]
        self._unsent = []

    def close(self) -> None:
        """Send the rest, and take no more. Raises OSError."""
        self.closed = True
        self.flush()
