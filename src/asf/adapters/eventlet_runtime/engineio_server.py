"""Engine.IO's server, made to measure: its queue, its WebSockets, its pings, and how many it serves."""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import engineio
import eventlet
from engineio.packet import PING, Packet
from engineio.socket import Socket

from asf.adapters.eventlet_runtime.delays import FixedDelay
from asf.adapters.eventlet_runtime.engineio_requests import careful_handler
from asf.adapters.eventlet_runtime.transport import EngineIoTransport, PacketQueue, is_kept
from asf.adapters.limits import ConnectionQuota
from asf.adapters.websocket.connection import DirectWebSocket
from asf.adapters.websocket.handshake import WebSocketUpgrade
from asf.domain.errors import AsfError, JoinTimeout, Throttled

JOIN_SECONDS = 30.0
"""How long a connection may be there without having joined or subscribed to anything."""

FAREWELL_SECONDS = 1.0
"""How long it may take, after that, to read why it ends."""

UPGRADE_SECONDS = 5.0
"""Longest silence of a client in the middle of its upgrade from polling to a WebSocket."""

MAX_UNREAD_ANSWERS = 1000
"""How many messages may wait for a client that goes on sending. With more it is given up, as it does not read."""

Tell = Callable[[Any, AsfError], None]

logger = logging.getLogger(__name__)


class SteadyTime:
    """Stands in for the module `time` where Engine.IO measures how long a pong takes: by a clock that nobody sets.

    With the wall clock, a jump ahead would end the connections that have a pong to send, and a jump back would keep
    for hours those of clients that are gone.
    """

    time = staticmethod(time.monotonic)


def install(server: Any, occupancy: ConnectionQuota, tell: Tell) -> None:
    """Make an Engine.IO server use this module's parts for all its connections.

    `occupancy` counts the connections, long-polling ones among them, by address. `tell` tells one of the library's
    objects for connections what concerns it. Connections that have not been kept within `JOIN_SECONDS` (see
    `EngineIoTransport.keep`) are ended. To be called when the server's handlers are registered.
    """
    engineio.socket.time = engineio.base_socket.time = SteadyTime
    server._async = {  # noqa: SLF001 - the library's seam for other runtimes
        **server._async,  # noqa: SLF001
        "queue": PacketQueue,
        "websocket": partial(EngineIoWebSocket, tell=tell),
    }
    pings = FixedDelay(server.ping_interval, ping)
    start_background_task = server.start_background_task

    def start_task(target: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
        if getattr(target, "__func__", None) is Socket._send_ping:  # noqa: SLF001
            return pings.add(target.__self__)  # type: ignore[attr-defined]
        return start_background_task(target, *args, **kwargs)

    server.start_background_task = start_task
    server.disconnect = partial(_disconnect, server)
    server.handle_request = careful_handler(server)
    server.on("message", _from_readers(server, server.handlers["message"]))
    _count(server, occupancy, FixedDelay(JOIN_SECONDS, partial(end_unless_kept, tell)))


def _from_readers(server: Any, handle_message: Callable[[str, Any], object]) -> Callable[[str, Any], object]:
    """Return a handler of messages that breaks off the connection of a client that lets too many answers wait."""

    def handle(sid: str, data: Any) -> object:
        connection = server.sockets.get(sid)
        if connection is None or connection.closed:  # by what came before this
            return None
        transport = EngineIoTransport(connection)
        if transport.queued_messages >= MAX_UNREAD_ANSWERS:
            logger.warning("A client that sends and does not read is given up")
            transport.disconnect()
            return None
        return handle_message(sid, data)

    return handle


def _disconnect(server: Any, sid: str | None = None) -> None:
    """End a connection, or all of them, as the library does.

    The library would also wait until the client has taken what is queued for it, which it may never do.
    """
    for one in list(server.sockets) if sid is None else [sid]:
        connection = server.sockets.get(one)
        if connection is not None:
            connection.close(wait=False, reason=server.reason.SERVER_DISCONNECT)
            server.sockets.pop(one, None)


def _count(server: Any, occupancy: ConnectionQuota, deadline: FixedDelay) -> None:
    """Count connections as they come and go, and give each of them until the deadline to be of use."""
    on_connect, on_disconnect = server.handlers["connect"], server.handlers["disconnect"]
    addresses: dict[str, str] = {}

    def connect(sid: str, environ: dict[str, Any]) -> Any:
        address = addresses[sid] = environ.get("REMOTE_ADDR", "")
        occupancy.take(address)
        deadline.add(server.sockets[sid])
        return on_connect(sid, environ)

    def disconnect(sid: str, reason: Any) -> Any:
        occupancy.release(addresses.pop(sid))
        return on_disconnect(sid, reason)

    server.on("connect", connect)
    server.on("disconnect", disconnect)


def end_unless_kept(tell: Tell, connection: Any) -> None:
    """End `connection`, the library's object, with a word, if it has turned out to be of no use.

    It ends without Engine.IO's own word for that, after which some clients would not come back by themselves.
    """
    if is_kept(connection) or connection.closed:
        return
    tell(connection, JoinTimeout())
    connection.close(wait=False, abort=True)
    websocket: DirectWebSocket | None = getattr(connection, "websocket", None)
    if websocket is not None:
        eventlet.spawn_after(FAREWELL_SECONDS, websocket.break_off)


def has_sent_all(server: Any) -> bool:
    """Return whether nothing waits to be sent on any connection of an Engine.IO server."""
    return all(map(_has_sent_all, list(server.sockets.values())))


def _has_sent_all(socket: Any) -> bool:
    websocket: DirectWebSocket | None = getattr(socket, "websocket", None)
    return bool(socket.queue.empty()) and (websocket is None or websocket.idle or websocket.websocket_closed)


class EngineIoWebSocket(WebSocketUpgrade):
    """Stands in for Engine.IO's own WebSocket class.

    Does the same, and leaves the WebSocket where transports find it, bounds the time that an upgrade may take, and
    cleans up when the library's handler fails.
    """

    def __init__(self, handler: Callable[[DirectWebSocket], Any], server: Any, tell: Tell) -> None:
        super().__init__(self._handle, int(server.max_http_buffer_size))
        self._engineio_handler = handler
        self._tell = tell

    def _handle(self, websocket: DirectWebSocket) -> Any:
        # The handler is a method of the library's object for the connection.
        connection = self._engineio_handler.__self__  # type: ignore[attr-defined]
        if not connection.connected:
            self._run(connection, websocket)
            return []
        # An upgrade. Polling goes on until the client has said something here: a proxy may accept a WebSocket and
        # then let nothing through. Of several attempts, one counts.
        websocket.message_timeout = lambda: None if connection.upgraded else UPGRADE_SECONDS
        if websocket.wait_ahead() and not connection.upgrading and not connection.upgraded:
            self._run(connection, websocket)
        return []

    def _run(self, connection: Any, websocket: DirectWebSocket) -> None:
        connection.websocket = websocket
        websocket.timeout = connection.server.ping_interval + connection.server.ping_timeout
        websocket.on_throttled = partial(self._tell, connection, Throttled())
        try:
            self._engineio_handler(websocket)
        except Exception as error:  # noqa: BLE001 - what a client sends may break the library's handler anywhere
            logger.warning("A WebSocket connection is broken off: %s: %s", type(error).__name__, error)
            if connection.upgraded:
                connection.queue.put(None)
                connection.close(wait=False, abort=True, reason=connection.server.reason.TRANSPORT_ERROR)
        if not connection.upgraded:  # It stays on polling.
            connection.websocket = None
            connection.upgrading = False


def ping(socket: Any) -> None:
    """Send Engine.IO's ping on `socket`, the library's object for a connection, unless that is closed."""
    if not socket.closing and not socket.closed:
        socket.last_ping = SteadyTime.time()
        socket.send(Packet(PING))
