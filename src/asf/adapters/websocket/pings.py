"""Pings of plain WebSockets. Those of Socket.IO connections are Engine.IO's: see `asf.adapters.engineio.pings`."""

from asf.adapters.websocket.connection import DirectWebSocket
from asf.adapters.websocket.frames import PING_FRAME

PING_SECONDS = 25.0
"""Time between two pings of a connection: shorter than the idle timeouts of proxies."""

MAX_UNANSWERED = 2
"""Pings that a client may leave unanswered. A client that reads audio slowly reads a ping late, but not that late."""


class Pings:
    """The pings of one connection, and how many in a row were not answered."""

    def __init__(self, websocket: DirectWebSocket) -> None:
        self._websocket = websocket
        self._received = self._received_at_ping = -1
        self._unanswered = 0

    def has_answered(self) -> bool:
        """Count one more ping, and return whether the client sent anything since the last `MAX_UNANSWERED` pings."""
        received = self._websocket.received_frames
        self._unanswered = self._unanswered + 1 if received == self._received else 0
        self._received = received
        return self._unanswered <= MAX_UNANSWERED

    def send(self) -> None:
        """Send a ping. Call it only while the WebSocket is idle."""
        received = self._websocket.received_frames
        self._websocket.intake.note_ping(is_answered=received != self._received_at_ping)
        self._received_at_ping = received
        self._websocket.write_whole(PING_FRAME)
