"""The open connections of an Engine.IO server: one transport for each, counted, with a join timeout."""

from collections.abc import Callable
from typing import Any

from asf.adapters.connection_quota import ConnectionQuota
from asf.adapters.delays import FixedDelay
from asf.adapters.engineio.transport import EngineIoTransport
from asf.adapters.runtime import Runtime
from asf.domain.errors import AsfError, JoinTimeout

JOIN_SECONDS = 30.0
"""Join timeout: how long a connection may stay open without having joined or subscribed to anything."""

FAREWELL_SECONDS = 1.0
"""How long a client may take, after the join timeout, to read why its connection ends."""

NotifyError = Callable[[str, AsfError], None]
"""Sends an error to the client of a connection, given by its Engine.IO session id."""


class EngineIoConnections:
    """The transports of all open connections, by Engine.IO session id.

    `quota` counts the connections, long-polling ones among them, by address. A connection that has not been marked
    active within `JOIN_SECONDS` (see `EngineIoTransport.mark_active`) is ended, after `notify_error` has sent why.
    """

    def __init__(self, runtime: Runtime, quota: ConnectionQuota, notify_error: NotifyError) -> None:
        self._runtime = runtime
        self._quota = quota
        self._notify_error = notify_error
        self._transports: dict[str, EngineIoTransport] = {}
        self._addresses: dict[str, str] = {}
        self._join_timeout: FixedDelay[Any] = FixedDelay(runtime, JOIN_SECONDS, self._end_unless_active)

    def install(self, server: Any) -> None:
        """Follow the connections of an Engine.IO server, whose handlers must have been registered."""
        on_connect, on_disconnect = server.handlers["connect"], server.handlers["disconnect"]

        def connect(sid: str, environ: dict[str, Any]) -> Any:
            self._open(server.sockets[sid], environ.get("REMOTE_ADDR", ""))
            return on_connect(sid, environ)

        def disconnect(sid: str, reason: Any) -> Any:
            self._close(sid)
            return on_disconnect(sid, reason)

        server.on("connect", connect)
        server.on("disconnect", disconnect)

    def get(self, sid: str | None) -> EngineIoTransport | None:
        """Return the transport of a connection, or None when it has ended."""
        return None if sid is None else self._transports.get(sid)

    @property
    def have_sent_all(self) -> bool:
        """Whether no connection has data that waits to be sent."""
        return all(transport.has_sent_all for transport in list(self._transports.values()))

    def _open(self, connection: Any, address: str) -> None:
        self._addresses[connection.sid] = address
        self._quota.take(address)
        self._transports[connection.sid] = EngineIoTransport(connection, self._runtime.pause)
        self._join_timeout.add(connection)

    def _close(self, sid: str) -> None:
        self._quota.release(self._addresses.pop(sid))
        self._transports.pop(sid).release()

    def _end_unless_active(self, connection: Any) -> None:
        """End a connection, unless it is in use, after sending why.

        Without Engine.IO's CLOSE packet, after which some clients would not reconnect.
        """
        transport = self.get(connection.sid)
        if transport is None or transport.is_active or transport.is_closed:
            return
        self._notify_error(connection.sid, JoinTimeout())
        connection.close(wait=False, abort=True)
        self._runtime.call_later(FAREWELL_SECONDS, transport.break_off)
