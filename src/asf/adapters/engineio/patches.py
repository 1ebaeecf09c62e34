"""Patches python-engineio: packet queue, WebSocket class, pings, requests, and connection accounting."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from asf.adapters.connection_quota import ConnectionQuota
from asf.adapters.engineio.connections import EngineIoConnections, NotifyError
from asf.adapters.engineio.packet_queue import PacketQueue
from asf.adapters.engineio.pings import install_pings
from asf.adapters.engineio.requests import CheckedRequests
from asf.adapters.engineio.transport import MAX_UNREAD_RESPONSES
from asf.adapters.engineio.upgrade import LOG_INTERVAL_SECONDS, CreateUpgrade, EngineIoUpgrade
from asf.adapters.engineio.websocket_session import install_websocket_sessions
from asf.adapters.log_throttle import LogThrottle
from asf.adapters.runtime import Runtime
from asf.adapters.websocket.handshake import WebSocketUpgrade

logger = logging.getLogger(__name__)


def install(
    server: Any,
    runtime: Runtime,
    quota: ConnectionQuota,
    beginnings: ConnectionQuota,
    notify_error: NotifyError,
    create_upgrade: CreateUpgrade = WebSocketUpgrade,
) -> EngineIoConnections:
    """Make an Engine.IO server use this package for all its connections, and return these.

    `quota` counts them by address, and `beginnings` those on long polling that are in no namespace yet.
    `notify_error` sends an error to the client of a connection. Call it when the server's handlers have been
    registered, and before it serves.
    """
    connections = EngineIoConnections(runtime, quota, beginnings, notify_error)
    library_parts = server._async  # noqa: SLF001 - the library's seam for other runtimes
    server._async = {  # noqa: SLF001
        **library_parts,
        "queue": partial(PacketQueue, library_parts["queue"]),
        "websocket": partial(
            EngineIoUpgrade, create_upgrade, connections, notify_error, LogThrottle(LOG_INTERVAL_SECONDS)
        ),
    }
    install_pings(server, runtime, connections.get)
    install_websocket_sessions(server, runtime)
    server.disconnect = partial(_disconnect, server)
    server.handle_request = CheckedRequests(server, runtime, connections.get)
    server.on("message", _from_readers(connections, server.handlers["message"], runtime.checkpoint))
    connections.install(server)
    return connections


def _from_readers(
    connections: EngineIoConnections, handle_message: Callable[[str, Any], object], checkpoint: Callable[[], object]
) -> Callable[[str, Any], object]:
    """Return a handler of messages that disconnects clients that send but do not read the responses.

    It calls `checkpoint`, which may yield, in front of each message: one request may bring many.
    """

    def handle(sid: str, data: Any) -> object:
        checkpoint()
        transport = connections.get(sid)
        if transport is not None:
            transport.back_pressure.wait(lambda: transport.queued_messages)
        if transport is None or transport.is_closed:  # by an earlier message of the same packet
            return None
        if transport.queued_messages >= MAX_UNREAD_RESPONSES:
            logger.warning("client dropped connection=%s reason=not_reading", sid)
            transport.disconnect()
            return None
        return handle_message(sid, data)

    return handle


def _disconnect(server: Any, sid: str | None = None) -> None:
    """Close a connection, or all of them, as the library does, but without waiting for the client.

    The library would wait until the client has taken what is queued for it, which may never happen.
    """
    for one in list(server.sockets) if sid is None else [sid]:
        connection = server.sockets.get(one)
        if connection is not None:
            connection.close(wait=False, reason=server.reason.SERVER_DISCONNECT)
            server.sockets.pop(one, None)
