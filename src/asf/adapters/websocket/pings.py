"""Pings of plain WebSockets. Those of Socket.IO connections are Engine.IO's: see `asf.adapters.engineio.pings`."""

from collections import deque

from asf.adapters.websocket.connection import DirectWebSocket
from asf.adapters.websocket.frames import ping_frame

PING_SECONDS = 25.0
"""Time between two pings of a connection: shorter than the idle timeouts of proxies."""

MAX_UNANSWERED = 2
"""Pings that a client may leave unanswered. A client that reads audio slowly reads a ping late, but not that late."""


MAX_AWAITED = 100
"""Pings whose pongs are recognized. A client that is behind by more has long been disconnected."""


class Pings:
    """The pings of one connection, and how many in a row were not answered.

    Each has its number as payload. A client that reads slowly answers one when several more have been sent.
    """

    def __init__(self, websocket: DirectWebSocket) -> None:
        self._websocket = websocket
        self._received = -1
        self._unanswered = 0
        self.pongs = 0
        """Number of pongs that answered a ping which no other had answered."""
        self._sent = 0
        # The payload of each ping without a pong, and the mark of what was sent before it.
        self._awaited: deque[tuple[bytes, int]] = deque(maxlen=MAX_AWAITED)

    def has_answered(self) -> bool:
        """Count one more ping, and return whether the client sent anything since the last `MAX_UNANSWERED` pings."""
        received = self._websocket.received_frames
        self._unanswered = self._unanswered + 1 if received == self._received else 0
        self._received = received
        return self._unanswered <= MAX_UNANSWERED

    def send(self) -> None:
        """Send a ping. Call it only while the WebSocket is idle."""
        self._sent += 1
        payload = str(self._sent).encode()
        self._awaited.append((payload, self._websocket.intake.mark()))
        self._websocket.write_whole(ping_frame(payload))

    def note_pong(self, payload: bytes) -> None:
        """Record a pong. A client may answer only the latest of several pings; other payloads are ignored."""
        if not any(payload == awaited for awaited, _ in self._awaited):
            return
        while True:
            awaited, mark = self._awaited.popleft()
            if awaited == payload:
                self.pongs += 1
                self._websocket.intake.note_answer(mark)
                return
