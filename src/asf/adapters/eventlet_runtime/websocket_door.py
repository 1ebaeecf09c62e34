"""The door for plain WebSockets: which requests come in by it, and the connection that each of them gets."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl
from weakref import WeakSet

from eventlet import hubs

from asf.adapters.eventlet_runtime.delays import FixedDelay
from asf.adapters.eventlet_runtime.websocket import DirectWebSocket, WebSocketUpgrade
from asf.adapters.eventlet_runtime.wire import PING_FRAME, close_frame, framing_for, text_frame
from asf.domain.streaming.audio import AudioBatch

CLOSE_SECONDS = 5.0
"""How long a client may take to read what was sent before the close, and to answer it."""

PING_SECONDS = 25.0
"""How often a connection is pinged: less than what proxies let a connection be silent for."""

MAX_UNANSWERED = 2
"""Pings that a client may leave unanswered. One that takes audio slowly comes to a ping late, but not that late."""

MAX_WAITING_BYTES = 65536
"""Most bytes of text that wait for a client that does not read; beyond that the connection is broken off."""

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class PlainWebSocket:
    """One plain WebSocket connection."""

    is_direct = True
    room = 0

    def __init__(self, websocket: DirectWebSocket) -> None:
        self._websocket = websocket
        self._waiting: deque[bytes] = deque()
        self._callback: Callable[[], None] | None = None
        self._closing = False
        self._received = -1
        self._unanswered = 0
        websocket.on_idle = self._go_on

    @property
    def ready(self) -> bool:
        """Whether audio can be sent now."""
        return self._websocket.idle and not self._waiting and not self._closing

    @property
    def has_sent_all(self) -> bool:
        """Whether nothing waits to be sent."""
        return self._websocket.websocket_closed or (self._websocket.idle and not self._waiting)

    def receive(self) -> str | bytes | None:
        """Wait for the next message; None at the end of the connection."""
        message: str | bytes | None = self._websocket.wait()
        return message

    def send_texts(self, texts: Sequence[str]) -> bool:
        """Send text messages, now or as soon as what is in front of them has been sent."""
        if not self._closing:
            self._waiting.extend(map(text_frame, texts))
            self._flush()
            if sum(map(len, self._waiting)) > MAX_WAITING_BYTES:
                self._break_off()
        return True

    def send_audio(self, batch: AudioBatch, start: int, stop: int, envelope: str) -> int:
        """Send bytes of the batch as far as the socket takes them; return how many were taken."""
        return self._websocket.write_chunks(framing_for(envelope), batch, start, stop) if self.ready else 0

    def when_throttled(self, callback: Callable[[], None]) -> None:
        """Call `callback` when messages come faster than they are read; not more often than is good to know."""
        self._websocket.on_throttled = callback

    def when_ready(self, callback: Callable[[], None] | None) -> None:
        """Call `callback` once, as soon as audio can be sent. None forgets an earlier one."""
        self._callback = callback

    def close(self, code: int, reason: str) -> None:
        """Close the connection after all that was sent before."""
        if self._closing:
            return
        self._waiting.append(close_frame(code, reason))
        self._closing = True
        self._flush()
        hubs.get_hub().schedule_call_global(CLOSE_SECONDS, self._break_off)

    def ping(self) -> bool:
        """Send a ping, unless something else is on its way anyway. Returns whether the connection is still open.

        A client from which nothing has come since `MAX_UNANSWERED` pings is gone.
        """
        received = self._websocket.received_frames
        self._unanswered = self._unanswered + 1 if received == self._received else 0
        self._received = received
        if self._unanswered > MAX_UNANSWERED:
            self._break_off()
        elif self.ready:
            self._websocket.write_whole(PING_FRAME)
        return not self._closing and not self._websocket.websocket_closed

    def _go_on(self) -> None:
        self._flush()
        if self._callback is not None and self.ready:
            callback, self._callback = self._callback, None
            callback()

    def _flush(self) -> None:
        if self._waiting and self._websocket.idle:
            frames = b"".join(self._waiting)
            self._waiting.clear()
            self._websocket.write_whole(frames)
        if self._closing and self._websocket.idle:
            self._websocket.websocket_closed = True  # The library sends no close frame of its own.

    def _break_off(self) -> None:
        self._waiting.clear()
        self._closing = True
        self._websocket.break_off()


Handler = Callable[[PlainWebSocket, str, Mapping[str, str]], None]


class WebSocketDoor:
    """A WSGI application in front of another: takes WebSocket handshakes below `prefix` and passes on all the rest.

    What follows the prefix is the stream id. `handler` is called with the connection, the stream id and the query,
    in the connection's own green thread. Handshakes of browsers from origins that `is_allowed` refuses get a 403.
    """

    def __init__(
        self,
        application: Application,
        prefix: str,
        handler: Handler,
        is_allowed: Callable[[str], bool],
        max_message_bytes: int,
    ) -> None:
        self._application = application
        self._prefix = prefix
        self._handler = handler
        self._is_allowed = is_allowed
        self._upgrade = WebSocketUpgrade(self._serve, max_message_bytes)
        self._pings = FixedDelay(PING_SECONDS, self._ping)
        self._connections: WeakSet[PlainWebSocket] = WeakSet()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        path = environ["PATH_INFO"]
        is_handshake = environ["REQUEST_METHOD"] == "GET" and environ.get("HTTP_UPGRADE", "").lower() == "websocket"
        if not path.startswith(self._prefix) or not is_handshake:
            return self._application(environ, start_response)
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and not self._is_allowed(origin):
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"This origin is not allowed."]
        answer: Iterable[bytes] = self._upgrade(environ, start_response)
        return answer

    @property
    def has_sent_all(self) -> bool:
        """Whether nothing waits to be sent on any connection."""
        return all(connection.has_sent_all for connection in list(self._connections))

    def _serve(self, websocket: DirectWebSocket) -> None:
        environ = websocket.environ
        # WSGI (PEP 3333) hands over the bytes of the path as if they were Latin-1.
        stream_id = environ["PATH_INFO"][len(self._prefix) :].encode("latin-1").decode("utf-8", "replace")
        connection = PlainWebSocket(websocket)
        self._pings.add(connection)
        self._connections.add(connection)
        self._handler(connection, stream_id, dict(parse_qsl(environ.get("QUERY_STRING", ""))))

    def _ping(self, connection: PlainWebSocket) -> None:
        if connection.ping():
            self._pings.add(connection)
