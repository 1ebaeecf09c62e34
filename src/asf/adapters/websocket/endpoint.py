"""Plain WebSockets: handshakes below a path, and the connections that they open."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol
from urllib.parse import parse_qsl
from weakref import WeakSet

from asf.adapters.forwarding import forwarded_for
from asf.adapters.origins import OriginRule
from asf.adapters.websocket.back_pressure import BackPressure
from asf.adapters.websocket.connection import DirectWebSocket
from asf.adapters.websocket.frames import close_frame, framing_for, shared_text_frame, text_frame
from asf.adapters.websocket.handshake import StartResponse, WebSocketUpgrade
from asf.adapters.websocket.pings import PING_SECONDS, Pings
from asf.domain.peer import Peer, Transport
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.intake import Intake

CLOSE_SECONDS = 5.0
"""Longest time for a client to respond to a close frame, once it has read what was sent before."""

SLOW_CLOSE_SECONDS = 30.0
"""Longest time in which a client reads nothing of what was sent before the close frame."""

SLOW_PING_PERIODS = 1.2
"""Times between two pings in which a client that is behind with its reading may read nothing."""

MAX_WAITING_BYTES = 65536
"""Maximum number of bytes of text that wait for a client that does not read; beyond it, the connection is ended."""

Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class PlainWebSocket:
    """One plain WebSocket connection. `close_later` is called when it closes: it calls `break_off` after a delay."""

    def __init__(
        self,
        websocket: DirectWebSocket,
        close_later: Callable[["PlainWebSocket"], None],
        peer: Peer,
    ) -> None:
        self.peer = peer
        self._websocket = websocket
        self._close_later = close_later
        self._waiting: deque[bytes] = deque()
        self._callback: Callable[[], None] | None = None
        self._closing = self._is_abandoned = False
        self._ping_is_due = False
        self._pings = Pings(websocket)
        self._pongs = 0  # At the last look whether the client still reads what was sent before the close frame.
        self._back_pressure = BackPressure(MAX_WAITING_BYTES // 2, websocket.pause)
        websocket.on_idle = self._continue
        websocket.on_pong = self._pings.note_pong

    @property
    def ready(self) -> bool:
        """Whether audio can be sent now."""
        return self._websocket.idle and not self._waiting and not self._closing

    @property
    def has_sent_all(self) -> bool:
        """Whether nothing waits to be sent."""
        return self._websocket.websocket_closed or (self._websocket.idle and not self._waiting)

    def receive(self) -> str | bytes | None:
        """Wait for the next message; None at the end of the connection. Lets the client read what waits for it."""
        self._back_pressure.wait(lambda: self._waiting_bytes)
        return self._websocket.wait()

    def corked(self) -> AbstractContextManager[None]:
        """Write what is sent in this context together. The caller must not wait."""
        return self._websocket.corked()

    def send_texts(self, texts: Sequence[str]) -> bool:
        """Send text messages, now or after what waits in front of them."""
        if not self._closing:
            self._waiting.extend(map(text_frame, texts))
            self._flush()
            if self._waiting_bytes > MAX_WAITING_BYTES:
                self.break_off()
        return True

    def try_send_text(self, text: str) -> bool:
        """Send a text message if nothing waits in front of it; return whether it was sent."""
        if not self.ready:
            return False
        self._websocket.write_whole(shared_text_frame(text))
        return True

    def send_audio(self, batch: AudioBatch, start: int, stop: int, envelope: str) -> int:
        """Send bytes of the batch as far as the kernel takes them; return how many were taken."""
        return self._websocket.write_chunks(framing_for(envelope), batch, start, stop) if self.ready else 0

    def intake(self) -> Intake:
        """Return how much the client has taken."""
        return self._websocket.intake.look()

    def when_throttled(self, callback: Callable[[], None]) -> None:
        """Call `callback` when messages arrive faster than the rate limit, at a limited rate."""
        self._websocket.on_throttled = callback

    def when_ready(self, callback: Callable[[], None] | None) -> None:
        """Call `callback` once, as soon as audio can be sent. None cancels an earlier callback."""
        self._callback = callback

    def close(self, code: int, reason: str, *, is_read: bool = True) -> None:
        """Close the connection after all that was sent before. `is_read` is False for a client that reads nothing."""
        if self._closing:
            return
        self._is_abandoned = not is_read
        self._waiting.append(close_frame(code, reason))
        self._closing = True
        self._flush()
        self._close_later(self)

    def ping(self) -> bool:
        """Send a ping, now or behind what is being sent. Returns whether the connection is still open.

        A client that has not answered for too long is considered disconnected, unless it is behind with its reading.
        """
        if not self._pings.has_answered() and not self._websocket.intake.is_behind(SLOW_PING_PERIODS * PING_SECONDS):
            self.break_off()
        else:
            self._ping_is_due = True
            self._flush()
        return not self._closing and not self._websocket.websocket_closed

    def finish_close(self) -> bool:
        """End the connection, unless the client still takes what was sent before. Returns whether it has ended."""
        pongs, self._pongs = self._pongs, self._pings.pongs
        is_reading = self._pongs > pongs or self._websocket.intake.is_behind(SLOW_CLOSE_SECONDS)
        if is_reading and not self._is_abandoned:
            return False
        self.break_off()
        return True

    def break_off(self) -> None:
        """End the connection at once."""
        self._waiting.clear()
        self._closing = True
        self._websocket.break_off()

    def release(self) -> None:
        """Drop all callbacks: nothing is received any more.

        Without them the connection is freed without the garbage collector.
        """
        self._callback = self._websocket.on_throttled = self._websocket.on_pong = None
        self._websocket.on_idle = self._flush if self._waiting else None

    @property
    def _waiting_bytes(self) -> int:
        return sum(map(len, self._waiting))

    def _continue(self) -> None:
        self._flush()
        if self._callback is not None and self.ready:
            callback, self._callback = self._callback, None
            callback()

    def _flush(self) -> None:
        if self._waiting and self._websocket.idle:
            frames = b"".join(self._waiting)
            self._waiting.clear()
            self._websocket.write_whole(frames)
        if self._ping_is_due and self._websocket.idle and not self._closing:
            self._ping_is_due = False
            self._pings.send()
        if self._closing and self._websocket.idle:
            self._websocket.websocket_closed = True  # The close frame was sent: there must not be another one.


Handler = Callable[[PlainWebSocket, str, Mapping[str, str]], None]


class Delay(Protocol):
    """Calls an action with each connection that was added, a fixed time later, if the connection still exists."""

    def add(self, connection: Any) -> None:
        """Call the action with the connection when the time has passed."""
        ...


MakeDelay = Callable[[float, Callable[[Any], object]], Delay]
"""Returns a `Delay` with the given seconds and action."""


class PlainWebSocketEndpoint:
    """Answers WebSocket handshakes below `prefix`, as WSGI middleware: see `in_front_of`.

    What follows the prefix is the stream id. `handler` is called with the connection, the stream id and the query, in
    the connection's own task. Handshakes of browsers from origins that `is_allowed` rejects get a 403.
    """

    def __init__(
        self,
        prefix: str,
        handler: Handler,
        is_allowed: OriginRule,
        max_message_bytes: int,
        make_delay: MakeDelay,
    ) -> None:
        self._prefix = prefix
        self._handler = handler
        self._is_allowed = is_allowed
        self._max_message_bytes = max_message_bytes
        self._pings = make_delay(PING_SECONDS, self._ping)
        self._closes = make_delay(CLOSE_SECONDS, self._finish_close)
        self._connections: WeakSet[PlainWebSocket] = WeakSet()

    def in_front_of(self, application: Application) -> Application:
        """Return a WSGI application that answers these handshakes, and passes all other requests to `application`."""
        return partial(self._answer, application)

    def _answer(
        self, application: Application, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        is_handshake = environ["REQUEST_METHOD"] == "GET" and environ.get("HTTP_UPGRADE", "").lower() == "websocket"
        if not path.startswith(self._prefix) or not is_handshake:
            return application(environ, start_response)
        if not self._is_allowed(environ.get("HTTP_ORIGIN"), environ):
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"This origin is not allowed."]
        # WSGI (PEP 3333) represents the bytes of the path as Latin-1.
        stream_id = path[len(self._prefix) :].encode("latin-1").decode("utf-8", "replace")
        query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
        peer = Peer(Transport.WEBSOCKET, environ.get("REMOTE_ADDR", ""), forwarded_for(environ))
        upgrade = WebSocketUpgrade(partial(self._serve, stream_id, query, peer), self._max_message_bytes)
        return upgrade(environ, start_response)

    @property
    def has_sent_all(self) -> bool:
        """Whether nothing waits to be sent on any connection."""
        return all(connection.has_sent_all for connection in list(self._connections))

    def _serve(self, stream_id: str, query: Mapping[str, str], peer: Peer, websocket: DirectWebSocket) -> None:
        connection = PlainWebSocket(websocket, self._closes.add, peer)
        self._pings.add(connection)
        self._connections.add(connection)
        try:
            self._handler(connection, stream_id, query)
        finally:
            connection.release()

    def _finish_close(self, connection: PlainWebSocket) -> None:
        if not connection.finish_close():
            self._closes.add(connection)

    def _ping(self, connection: PlainWebSocket) -> None:
        if connection.ping():
            self._pings.add(connection)
