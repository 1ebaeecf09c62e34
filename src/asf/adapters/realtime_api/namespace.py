"""The common base of ASF's Socket.IO namespaces."""

import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from flask_socketio import SocketIO
from socketio import Namespace
from socketio.packet import CONNECT_ERROR

from asf.adapters.realtime_api.join_limits import JoinLimits
from asf.adapters.realtime_api.messages import error_message
from asf.adapters.realtime_api.socketio_packets import compact_json, connect_packet, event_packet
from asf.adapters.realtime_api.transports import MessageTransport
from asf.domain.errors import AsfError, UnknownNamespace

ROOT = "/"
"""The namespace whose name clients leave out."""

RESERVED = {"connect", "disconnect"}
"""Events that the library raises: clients may not send any under these names."""

SHOWN_CHARACTERS = 255
"""Of an unknown namespace. What a client does not read waits here, and could be as much as it has sent."""

logger = logging.getLogger(__name__)

Transport = TypeVar("Transport", bound=MessageTransport)

FindTransport = Callable[[str | None], Transport | None]
"""Returns the transport of an Engine.IO connection by its session id, or None when the connection has ended."""


class StrictNamespace(Namespace, Generic[Transport]):
    """A namespace that distinguishes the library's own events from those that clients send under the same names.

    A client's event is ignored if its name is not text, has no handler, or is reserved for the library. `error_event`
    is the name of the event that carries an error to a client, `purpose` what the namespace is for. A client that
    enters it is greeted with the event `greeting_event` and the text `greeting`.
    """

    error_event = "error"
    greeting_event = ""
    purpose = ""

    def __init__(
        self, namespace: str, find_transport: FindTransport[Transport], joins: JoinLimits, greeting: str
    ) -> None:
        super().__init__(namespace)
        self._find_transport = find_transport
        self._joins = joins
        self._greeting = event_packet(namespace, self.greeting_event, compact_json({"message": greeting}))

    def enter(self, engineio_sid: str) -> bool:
        """Let the client of a connection in, and greet it. Returns False if it is in the namespace already.

        In the library's place, which would answer and greet it in two writes.
        """
        transport = self._find_transport(engineio_sid)
        if transport is None:  # It has ended.
            return True
        manager = self.server.manager
        sid = manager.pre_connect(engineio_sid, self.namespace)
        if sid is None:
            return False
        manager.connect(sid, self.namespace)
        transport.send_all((connect_packet(self.namespace, sid), self._greeting))
        return True

    def check_join_rate(self, sid: str) -> None:
        """Count a join of a connection. Raises `RateLimited`."""
        transport = self.transport_of(sid)
        if transport is not None:
            self._joins.count(transport)

    def send_error(self, engineio_sid: str, error: AsfError) -> None:
        """Send an error that concerns the connection of a client, if the client is in this namespace."""
        transport = self._find_transport(engineio_sid)
        if transport is not None and self.server.manager.sid_from_eio_sid(engineio_sid, self.namespace) is not None:
            payload = compact_json(error_message(error))
            transport.send(event_packet(self.namespace, self.error_event, payload))

    def trigger_event(self, event: Any, sid: str, *arguments: Any) -> Any:
        """Dispatch an event of the connection `sid` to the method `on_<event>`."""
        if not isinstance(event, str) or (event in RESERVED and not self._is_raised(event, sid)):
            return None
        try:
            return super().trigger_event(event, sid, *arguments)
        except Exception:
            logger.exception("Handling an event failed")
            return None

    def emit_here(self, sid: str, event: str, payload: Any) -> None:
        """Emit an event to a connection of this server, if it has not ended. The library is bypassed."""
        transport = self.transport_of(sid)
        if transport is not None:
            transport.send(event_packet(self.namespace, event, compact_json(payload)))

    def transport_of(self, sid: str) -> Transport | None:
        """Return the transport of a connection, or None when it has ended."""
        return self._find_transport(self.server.manager.eio_sid_from_sid(sid, self.namespace))

    def _is_raised(self, event: str, sid: str) -> bool:
        """Return whether the library raised this event, rather than a client.

        By then it no longer counts the connection as connected. It does not raise `connect`, as `enter` replaces it.
        """
        return event == "disconnect" and not self.server.manager.is_connected(sid, self.namespace)


def refuse_unknown_namespaces(server: Any, entered: Callable[[str], object]) -> None:
    """Let a Socket.IO server refuse namespaces that it does not have, naming those that it has.

    The library lets clients into `/` and leaves them without an answer; others get an error without a message.
    `entered` is called with the Engine.IO session id of each connection that enters a namespace.
    """
    handle_connect = server._handle_connect  # noqa: SLF001 - the library has no hook for this

    def handle(engineio_sid: str, namespace: str | None, auth: Any) -> None:
        handler: StrictNamespace[Any] | None = server.namespace_handlers.get(namespace or ROOT)
        if handler is not None:
            if not handler.enter(engineio_sid):
                handle_connect(engineio_sid, namespace, auth)  # It answers with an error.
            entered(engineio_sid)
            return
        names = " or ".join(f"{name} ({handler.purpose})" for name, handler in server.namespace_handlers.items())
        refusal = error_message(UnknownNamespace(f"Connect to {names}."))
        server._send_packet(  # noqa: SLF001 - as the library refuses one
            engineio_sid,
            server.packet_class(
                CONNECT_ERROR,
                namespace=namespace and namespace[:SHOWN_CHARACTERS],
                data={"message": f"{refusal['message']} {refusal['details']}", "data": refusal},
            ),
        )

    server._handle_connect = handle  # noqa: SLF001 - see above


def notify_connection(socketio: SocketIO, engineio_sid: str, error: AsfError) -> None:
    """Send an error that concerns the connection of a client, in each namespace that the client is in."""
    for namespace in socketio.server.namespace_handlers.values():
        namespace.send_error(engineio_sid, error)
