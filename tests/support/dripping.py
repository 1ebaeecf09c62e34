"""Clients that send one byte at a time."""

import socket
import time
from collections.abc import Sequence
from contextlib import suppress

HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
LONG_FRAME = b"\x81\xfe\xf0\x00"
"""The beginning of a masked text frame of 61,440 bytes (RFC 6455, section 5.2)."""

BODY_HEAD = (
    b"POST /asf/internal/notify_new_audio HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 60000\r\n\r\n"
)
REQUEST_LINE = b"GET /asf/health HTTP/1.1\r\nX-Long: "


class Drip:
    """One connection that sends `opening`, and then one byte more at each `step`, until it is cut.

    `drops` are those bytes; the last one is repeated. Without any, it is silent. With `after_answer` they come when
    something was received, as behind a handshake. `allowed_seconds` is when it is to
    be cut; `lasted` is how long it was open, in seconds, once it is, and `steps` how many steps it has done.
    """

    def __init__(
        self,
        port: int,
        allowed_seconds: float,
        opening: bytes = b"",
        drops: bytes = b"",
        *,
        after_answer: bool = False,
    ) -> None:
        self.allowed_seconds = allowed_seconds
        self.lasted: float | None = None
        self.steps = 0
        self._drops = drops
        self._place = 0
        self._waits = after_answer
        self._opened_at = time.monotonic()
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(opening)
        self._socket.setblocking(False)  # noqa: FBT003

    def step(self) -> None:
        """Send a byte, and look whether the connection is still there."""
        if self.lasted is not None:
            return
        self.steps += 1
        try:
            if self._drops and not self._waits:
                self._socket.send(self._drops[self._place : self._place + 1])
                self._place = min(self._place + 1, len(self._drops) - 1)
            with suppress(BlockingIOError):
                while self._socket.recv(65536):
                    self._waits = False
                self._end()
        except OSError:
            self._end()

    def _end(self) -> None:
        self.lasted = time.monotonic() - self._opened_at
        self._socket.close()


def drip_until_cut(drips: Sequence[Drip], pause_seconds: float, patience_seconds: float) -> None:
    """Let all drip, a byte every `pause_seconds`, until all are cut, or `patience_seconds` after they should be.

    Those that may go on longest come first in each turn: no other that was cut before is seen to be cut later.
    """
    drips = sorted(drips, key=lambda drip: -drip.allowed_seconds)
    end = time.monotonic() + max(drip.allowed_seconds for drip in drips) + patience_seconds
    while any(drip.lasted is None for drip in drips) and time.monotonic() < end:
        for drip in drips:
            drip.step()
        time.sleep(pause_seconds)  # The rhythm of the drops.
