"""Engine.IO's server, made to measure: its queue, its WebSockets and its pings."""

import logging
import time
from collections.abc import Callable
from typing import Any

from engineio.packet import PING, Packet
from engineio.socket import Socket

from asf.adapters.eventlet_runtime.pings import PingSchedule
from asf.adapters.eventlet_runtime.transport import PacketQueue
from asf.adapters.eventlet_runtime.websocket import DirectWebSocket, WebSocketUpgrade

UPGRADE_SECONDS = 5.0
"""Longest silence of a client in the middle of its upgrade from polling to a WebSocket."""

logger = logging.getLogger(__name__)


def install(server: Any) -> None:
    """Make an Engine.IO server use this module's parts for all its connections."""
    server._async = {  # noqa: SLF001 - the library's seam for other runtimes
        **server._async,  # noqa: SLF001
        "queue": PacketQueue,
        "websocket": EngineIoWebSocket,
    }
    pings = PingSchedule(server.ping_interval, ping)
    start_background_task = server.start_background_task

    def start_task(target: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
        if getattr(target, "__func__", None) is Socket._send_ping:  # noqa: SLF001
            return pings.add(target.__self__)  # type: ignore[attr-defined]
        return start_background_task(target, *args, **kwargs)

    server.start_background_task = start_task


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

    def __init__(self, handler: Callable[[DirectWebSocket], Any], server: Any) -> None:
        super().__init__(self._handle, int(server.max_http_buffer_size))
        self._engineio_handler = handler

    def _handle(self, websocket: DirectWebSocket) -> Any:
        # The handler is a method of the library's object for the connection.
        connection = self._engineio_handler.__self__  # type: ignore[attr-defined]
        if not connection.connected:
            self._run(connection, websocket)
            return []
        # An upgrade. Polling goes on until the client has said something here: a proxy may accept a WebSocket and
        # then let nothing through. Of several attempts, one counts.
        websocket.patience = lambda: None if connection.upgraded else UPGRADE_SECONDS
        if websocket.wait_ahead() and not connection.upgrading and not connection.upgraded:
            self._run(connection, websocket)
        return []

    def _run(self, connection: Any, websocket: DirectWebSocket) -> None:
        connection.websocket = websocket
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
        socket.last_ping = time.time()
        socket.send(Packet(PING))
