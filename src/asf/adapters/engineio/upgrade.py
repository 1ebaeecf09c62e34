"""Engine.IO's WebSockets: replaces python-engineio's WebSocket class."""

import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from asf.adapters.engineio.connections import EngineIoConnections, NotifyError
from asf.adapters.engineio.transport import EngineIoTransport
from asf.adapters.log_throttle import LogThrottle
from asf.adapters.websocket.connection import DirectWebSocket
from asf.domain.errors import Throttled

PROBE_SECONDS = 10.0
"""Longest time until a client sends something on a WebSocket to which it wants to upgrade. python-socketio fails if
it reads the end of the WebSocket; it gives up itself after five seconds, and stays on polling."""

UPGRADE_SECONDS = 5.0
"""Longest silence of a client after that, until it has upgraded: meanwhile it is sent nothing. It first receives the
response to its last poll, however slowly: socket.io-client has suspended polling, and would never resume it."""

LOG_INTERVAL_SECONDS = 1.0
LOGGED_CHARACTERS = 300
"""Shortest time between two log lines about messages that the library rejects, and what is logged of its reason."""

CreateUpgrade = Callable[[Callable[[DirectWebSocket], object], int], Callable[..., Any]]
"""Makes the WSGI application that answers a WebSocket handshake and calls a handler with the connection.

The second argument is the size limit of a message from the client, in bytes."""

logger = logging.getLogger(__name__)


class EngineIoUpgrade:
    """Answers one WebSocket handshake: python-engineio creates it, with its own handler, and calls it as WSGI does.

    Gives the WebSocket to the connection's transport, bounds the time that an upgrade may take, and cleans up when
    the library's handler fails.
    """

    def __init__(
        self,
        create_upgrade: CreateUpgrade,
        connections: EngineIoConnections,
        notify_error: NotifyError,
        log_throttle: LogThrottle,
        handler: Callable[[Any], Any],
        server: Any,
    ) -> None:
        self._create_upgrade = create_upgrade
        self._max_message_bytes = int(server.max_http_buffer_size)
        self._connections = connections
        self._notify_error = notify_error
        self._log_throttle = log_throttle
        self._engineio_handler = handler

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Any:
        """Answer the handshake; returns when the WebSocket has ended."""
        # Not kept: it would be a reference cycle, and each ended connection left to the garbage collector.
        return self._create_upgrade(self._handle, self._max_message_bytes)(environ, start_response)

    def _handle(self, websocket: DirectWebSocket) -> Any:
        # The handler is a method of the library's object for the connection.
        connection = self._engineio_handler.__self__  # type: ignore[attr-defined]
        transport = self._connections.get(connection.sid)
        if transport is None:  # ended during the handshake
            return []
        if not connection.connected:
            self._run(connection, transport, websocket)
            return []
        # An upgrade. Polling continues until the client has sent something here: a proxy may accept a WebSocket and
        # then let nothing through. Of several attempts, one counts.
        websocket.message_timeout = lambda: PROBE_SECONDS
        transport.upgrade_attempts += 1
        try:
            if websocket.wait_ahead() and not connection.upgrading and not connection.upgraded:
                websocket.message_timeout = partial(self._silence_of, connection, websocket)
                websocket.is_excused = partial(self._connections.is_receiving_poll, connection.sid, UPGRADE_SECONDS)
                self._run(connection, transport, websocket)
        finally:
            transport.upgrade_attempts -= 1
            websocket.message_timeout = _no_limit  # It refers to the WebSocket.
        return []

    def _silence_of(self, connection: Any, websocket: DirectWebSocket) -> float | None:
        """Return how long the client may be silent while it upgrades, and after that."""
        if not connection.upgraded:
            return UPGRADE_SECONDS
        self._connections.end_polling(connection.sid)
        websocket.message_timeout = _no_limit
        return None

    def _run(self, connection: Any, transport: EngineIoTransport, websocket: DirectWebSocket) -> None:
        websocket.timeout = connection.server.ping_interval + connection.server.ping_timeout
        transport.attach(websocket, partial(self._notify_error, connection.sid, Throttled()))
        try:
            self._engineio_handler(websocket)
        except Exception as error:  # noqa: BLE001 - what a client sends may break the library's handler anywhere
            if self._log_throttle.permits():
                logger.warning(
                    "websocket closed connection=%s reason=handler_failed error=%s details=%s",
                    connection.sid,
                    type(error).__name__,
                    json.dumps(str(error)[:LOGGED_CHARACTERS]),
                )
            if connection.upgraded:
                connection.queue.put(None)
                connection.close(wait=False, abort=True, reason=connection.server.reason.TRANSPORT_ERROR)
        if not connection.upgraded:  # The connection stays on polling.
            transport.detach()
            connection.upgrading = False


def _no_limit() -> None:
    return None
