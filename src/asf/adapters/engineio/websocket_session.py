"""Engine.IO sessions that begin on a WebSocket, without the task and the queue that python-engineio has for each.

What is sent is written at once. Only while the kernel takes no more, packets wait, and a task writes them.
"""

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import Empty
from typing import Any

from engineio.exceptions import SocketIsClosedError, UnknownPacketError
from engineio.packet import MESSAGE, OPEN, Packet
from engineio.socket import Socket

from asf.adapters.engineio.packet_queue import PacketQueue
from asf.adapters.engineio.packets import packet_frame
from asf.adapters.runtime import Runtime
from asf.adapters.websocket.connection import DirectWebSocket
from asf.adapters.websocket.frames import text_frame

_MESSAGE_DIGIT = str(MESSAGE)


class WebSocketSession(Socket):
    """Replaces python-engineio's object for a connection that is a WebSocket from its beginning on."""

    def __init__(self, server: Any, sid: str, runtime: Runtime) -> None:
        # All that the library's own constructor sets; it would create a queue that tasks can wait for.
        self.server = server
        self.sid = sid
        self.queue = PacketQueue(WaitingPackets)
        self.last_ping: float | None = time.monotonic()  # See `pings.MonotonicTime`.
        self.connected = self.upgrading = self.upgraded = self.closing = self.closed = False
        self.session: dict[str, Any] = {}
        self._runtime = runtime
        self._websocket: DirectWebSocket | None = None
        self._is_writing = False

    def send(self, pkt: Packet) -> None:
        """Send a packet, behind those that wait. Raises the library's `SocketIsClosedError`."""
        if not self.check_ping_timeout():
            return
        websocket = self._websocket
        if websocket is not None and not self.queue.unsent and websocket.idle:
            websocket.write_whole(packet_frame(pkt))
        else:
            self.queue.put(pkt)

    def _websocket_handler(self, ws: DirectWebSocket) -> list[bytes]:
        """Serve the WebSocket until it ends, as the library's method of this name does."""
        self._websocket = ws
        self.connected = self.upgraded = True
        ws.write_whole(text_frame(opening_text(self.server, self.sid)))
        self.queue.on_put = self._write_what_waits
        if not self.queue.empty():
            self._write_what_waits()
        try:
            while (message := ws.wait()) is not None and self._handle(message):
                pass
        finally:
            self.queue.on_put = None  # It refers to this object.
        self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
        return []

    def _handle(self, message: str | bytes) -> bool:
        """Handle what the client has sent, and return whether to read on. Raises where it is not Engine.IO."""
        logger = self.server.logger
        # The library parses what follows the digit as JSON, but for a text that starts with another digit.
        if isinstance(message, str) and message[:1] == _MESSAGE_DIGIT and message[1:2].isnumeric():
            try:
                self.server.handlers["message"](self.sid, message[1:])
            except Exception:
                logger.exception("message handler error")
            return True
        packet = Packet(encoded_packet=message)
        try:
            self.receive(packet)
        except UnknownPacketError:
            pass
        except SocketIsClosedError:
            return False
        except Exception:
            logger.exception("Unknown receive error")
            return False
        return True

    def _write_what_waits(self) -> None:
        if not self._is_writing:
            self._is_writing = True
            self._runtime.spawn(self._write)

    def _write(self) -> None:
        """Write what waits, until nothing does; at the end of the queue, close the WebSocket."""
        websocket = self._websocket
        assert websocket is not None  # noqa: S101 - nothing is written before there is one
        try:
            while (packet := self.queue.get()) is not None:
                websocket.send(packet.encode())
        except Empty:
            self._is_writing = False
        except OSError:
            websocket.close()
        else:
            websocket.close()


class WaitingPackets:
    """The packets that wait, for `PacketQueue`. Nobody waits for one."""

    __slots__ = ("_packets",)

    def __init__(self) -> None:
        self._packets: deque[Any] | None = None  # Most connections never need it.

    def put(self, packet: Any, _block: bool = True, _timeout: float | None = None) -> None:  # noqa: FBT001, FBT002
        """Add a packet."""
        if self._packets is None:
            self._packets = deque()
        self._packets.append(packet)

    def get(self, _block: bool = True, _timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002
        """Return the first packet. Raises `queue.Empty`."""
        if not self._packets:
            self._packets = None
            raise Empty
        return self._packets.popleft()

    def qsize(self) -> int:
        """Return the number of packets."""
        return 0 if self._packets is None else len(self._packets)


def opening_text(server: Any, sid: str) -> str:
    """Return the first packet of a session that begins on a WebSocket: there is nothing to upgrade to."""
    timeout = int(server.ping_timeout * 1000)
    interval = int(server.ping_interval + server.ping_interval_grace_period) * 1000
    return (
        f'{OPEN}{{"sid":"{sid}","upgrades":[],"pingTimeout":{timeout},"pingInterval":{interval},'
        f'"maxPayload":{server.max_http_buffer_size}}}'
    )


def install_websocket_sessions(server: Any, runtime: Runtime) -> None:
    """Let an Engine.IO server begin sessions on WebSockets as `WebSocketSession`s."""
    server._handle_connect = partial(_begin, server, runtime, server._handle_connect)  # noqa: SLF001 - no hook for it


def _begin(
    server: Any,
    runtime: Runtime,
    begin_other: Callable[..., Any],
    environ: dict[str, Any],
    start_response: Callable[..., object],
    transport: str,
    jsonp_index: int | None = None,
) -> Any:
    """Begin a session as the library's method does, which has checked the request."""
    # The library's method also starts its monitoring task, with the first session.
    if transport != "websocket" or server.start_service_task:
        return begin_other(environ, start_response, transport, jsonp_index)
    sid = server.generate_id()
    session = server.sockets[sid] = WebSocketSession(server, sid, runtime)
    refusal = server._trigger_event("connect", sid, environ, run_async=False)  # noqa: SLF001 - as the library does
    if refusal is not None and refusal is not True:
        del server.sockets[sid]
        return server._unauthorized(refusal or None)  # noqa: SLF001
    session.schedule_ping()
    response = session.handle_get_request(environ, start_response)
    if session.closed:
        server.sockets.pop(sid, None)
    return response
