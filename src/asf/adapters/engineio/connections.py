"""The open connections of an Engine.IO server: one transport for each, counted, with a join timeout."""

from collections.abc import Callable, Mapping
from typing import Any

from asf.adapters.connection_quota import ConnectionQuota
from asf.adapters.delays import FixedDelay
from asf.adapters.engineio.polls import Polls, is_polling
from asf.adapters.engineio.transport import EngineIoTransport
from asf.adapters.forwarding import forwarded_for
from asf.adapters.runtime import Runtime
from asf.domain.errors import AsfError, JoinTimeout

JOIN_SECONDS = 30.0
"""Join timeout: how long a connection may stay open without having joined or subscribed to anything."""

NAMESPACE_SECONDS = 5.0
"""How long a connection may stay open without having entered a namespace. Clients do so within a round trip, or when
an upgrade that they have attempted before has failed. Time in which this server was behind does not count."""

FAREWELL_SECONDS = 1.0
"""How long a client may take, after the join timeout, to read why its connection ends."""

NotifyError = Callable[[str, AsfError], None]
"""Sends an error to the client of a connection, given by its Engine.IO session id."""


class EngineIoConnections:
    """The transports of all open connections, by Engine.IO session id.

    `quota` counts the connections, long-polling ones among them, by address, and `beginnings` those on long polling
    that have entered no namespace yet: they need no TCP connection to stay. A connection that has not been marked as
    entered (see `mark_entered`) within `NAMESPACE_SECONDS` is ended, and so is one that has not been marked as active
    within `JOIN_SECONDS` (see `EngineIoTransport.mark_active`), after `notify_error` has sent why.
    """

    def __init__(
        self, runtime: Runtime, quota: ConnectionQuota, beginnings: ConnectionQuota, notify_error: NotifyError
    ) -> None:
        self._runtime = runtime
        self._quota = quota
        self._beginnings = beginnings
        self._notify_error = notify_error
        self._transports: dict[str, EngineIoTransport] = {}
        self._polls: dict[str, Polls] = {}
        self._not_entered: dict[str, bool] = {}  # Whether it is on long polling.
        self._namespace_timeout: FixedDelay[Any] = FixedDelay(runtime, NAMESPACE_SECONDS, self._end_unless_entered)
        self._join_timeout: FixedDelay[Any] = FixedDelay(runtime, JOIN_SECONDS, self._end_unless_active)

    def install(self, server: Any) -> None:
        """Follow the connections of an Engine.IO server, whose handlers must have been registered."""
        on_connect, on_disconnect = server.handlers["connect"], server.handlers["disconnect"]

        def connect(sid: str, environ: dict[str, Any]) -> Any:
            self._open(server.sockets[sid], environ)
            return on_connect(sid, environ)

        def disconnect(sid: str, reason: Any) -> Any:
            if reason == server.reason.TRANSPORT_CLOSE:  # Only its own task says so, and that may yield.
                self._runtime.checkpoint_at_end()
            self._close(sid)
            return on_disconnect(sid, reason)

        server.on("connect", connect)
        server.on("disconnect", disconnect)

    def get(self, sid: str | None) -> EngineIoTransport | None:
        """Return the transport of a connection, or None when it has ended."""
        return None if sid is None else self._transports.get(sid)

    def rejection(self, environ: Mapping[str, Any]) -> AsfError | None:
        """Return why a request, given by its WSGI environment, must not open a connection; None if it may."""
        address = environ.get("REMOTE_ADDR", "")
        rejection = self._quota.rejection(address)
        return self._beginnings.rejection(address) if rejection is None and is_polling(environ) else rejection

    def mark_entered(self, sid: str) -> None:
        """Note that a connection has entered a namespace."""
        if self._not_entered.pop(sid, False):
            self._beginnings.release(self._transports[sid].address)

    def is_receiving_poll(self, sid: str, period: float) -> bool:
        """Return whether the client may be receiving the response to its last poll: see `ClientIntake.is_taking`."""
        polls, transport = self._polls.get(sid), self._transports.get(sid)
        return polls is not None and polls.has_response and transport is not None and transport.is_taking_poll(period)

    def end_polling(self, sid: str) -> None:
        """Drop what is kept for the next poll of a connection: it has been upgraded, and there is none."""
        polls = self._polls.pop(sid, None)
        if polls is not None:
            polls.release()

    @property
    def have_sent_all(self) -> bool:
        """Whether no connection has data that waits to be sent."""
        return all(transport.has_sent_all for transport in list(self._transports.values()))

    def _open(self, connection: Any, environ: Mapping[str, Any]) -> None:
        address, polls = environ.get("REMOTE_ADDR", ""), is_polling(environ)
        self._quota.take(address)
        self._not_entered[connection.sid] = polls
        if polls:
            self._beginnings.take(address)
            self._polls[connection.sid] = Polls(connection, self._runtime)
        self._transports[connection.sid] = EngineIoTransport(
            connection, self._runtime.pause, address, forwarded_for(environ)
        )
        self._namespace_timeout.add(connection)
        self._join_timeout.add(connection)

    def _close(self, sid: str) -> None:
        self.mark_entered(sid)
        transport = self._transports.pop(sid)
        self._quota.release(transport.address)
        transport.release()
        self.end_polling(sid)

    def _end_unless_entered(self, connection: Any) -> None:
        """End a connection that is in no namespace, and so cannot receive an error.

        Later if that may be due to this server: what the client has sent may still wait to be read.
        """
        transport = self.get(connection.sid)
        if transport is None or connection.sid not in self._not_entered or transport.is_closed:
            return
        is_upgrading = transport.upgrade_attempts and not connection.upgraded
        if is_upgrading or self._runtime.was_behind(NAMESPACE_SECONDS):
            self._namespace_timeout.add(connection)
        else:
            transport.disconnect()

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
