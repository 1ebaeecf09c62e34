"""What ASF's Socket.IO namespaces have in common."""

import logging
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from flask_socketio import SocketIO
from socketio import Namespace

from asf.adapters.limits import RateLimit
from asf.adapters.realtime_api.messages import error_message
from asf.adapters.realtime_api.packets import compact_json, connection_of, event_packet
from asf.adapters.realtime_api.transports import MessageTransport
from asf.domain.errors import AsfError, RateLimited

logger = logging.getLogger(__name__)

Transport = TypeVar("Transport", bound=MessageTransport)


class StrictNamespace(Namespace, Generic[Transport]):
    """A namespace that tells the library's own events from those that clients send under the same names.

    A client's event with a name that is no text, that nobody handles, or that only the library may raise, is ignored.
    `transport_for` makes the transport of one of the Engine.IO server's connection objects. `error_event` is the name
    of the event that tells a client of an error.
    """

    error_event = "error"
    joins_per_second = 5.0
    joins_at_once = 20
    """How often one connection may join, or subscribe to, something; what is beyond that is refused."""

    def __init__(self, namespace: str, transport_for: Callable[[Any], Transport]) -> None:
        super().__init__(namespace)
        self._transport_for = transport_for
        # By connection: a client that leaves the namespace and enters it again is still the same.
        self._join_rates: WeakKeyDictionary[Any, RateLimit] = WeakKeyDictionary()

    def check_join_rate(self, sid: str) -> None:
        """Count one more join of a connection. Raises `RateLimited`."""
        connection = connection_of(self.server, self.namespace, sid)
        if connection is None:
            return
        rate = self._join_rates.get(connection)
        if rate is None:
            rate = self._join_rates[connection] = RateLimit(self.joins_per_second, self.joins_at_once)
        if not rate.take(time.monotonic()):
            raise RateLimited(f"In the long run there may be {self.joins_per_second:g} a second.")

    def tell(self, connection: Any, error: AsfError) -> None:
        """Tell a client of an error that concerns its connection, an object of the Engine.IO server."""
        if self.server.manager.sid_from_eio_sid(connection.sid, self.namespace) is not None:
            payload = compact_json(error_message(error))
            self._transport_for(connection).send(event_packet(self.namespace, self.error_event, payload))

    def trigger_event(self, event: Any, sid: str, *arguments: Any) -> Any:
        """Dispatch an event of the connection `sid` to the method `on_<event>`."""
        if not isinstance(event, str) or (
            event in {"connect", "disconnect"} and not self._is_raised(event, sid, arguments)
        ):
            return None
        try:
            return super().trigger_event(event, sid, *arguments)
        except Exception:
            logger.exception("Handling an event failed")
            return None

    def emit_here(self, sid: str, event: str, payload: Any) -> None:
        """Emit an event to a connection of this server: without a message queue, which would tell all others."""
        self.emit(event, payload, to=sid, ignore_queue=True)

    def transport_of(self, sid: str) -> Transport | None:
        """Return the transport of a connection, or None when it is gone."""
        connection = connection_of(self.server, self.namespace, sid)
        return None if connection is None else self._transport_for(connection)

    def _is_raised(self, event: str, sid: str, arguments: tuple[Any, ...]) -> bool:
        """Whether the library raised this event, rather than a client sent it."""
        if event == "disconnect":  # By then the library does not count the connection among the connected any more.
            return not self.server.manager.is_connected(sid, self.namespace)
        return bool(arguments) and arguments[0] is self.server.get_environ(sid, self.namespace)


def tell(socketio: SocketIO, connection: Any, error: AsfError) -> None:
    """Tell a client, in each namespace where it is, of an error that concerns its connection as such."""
    for namespace in socketio.server.namespace_handlers.values():
        namespace.tell(connection, error)
