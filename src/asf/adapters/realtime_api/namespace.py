"""What ASF's Socket.IO namespaces have in common."""

import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from socketio import Namespace

from asf.adapters.realtime_api.packets import connection_of
from asf.adapters.realtime_api.transports import MessageTransport

MAX_UNREAD_ANSWERS = 1000
"""How many messages may wait for a client that goes on sending. With more it is given up, as it does not read."""

logger = logging.getLogger(__name__)

Transport = TypeVar("Transport", bound=MessageTransport)


class StrictNamespace(Namespace, Generic[Transport]):
    """A namespace that tells the library's own events from those that clients send under the same names.

    A client's event with a name that is no text, that nobody handles, or that only the library may raise, is ignored.
    `transport_for` makes the transport of one of the Engine.IO server's connection objects.
    """

    def __init__(self, namespace: str, transport_for: Callable[[Any], Transport]) -> None:
        super().__init__(namespace)
        self._transport_for = transport_for

    def trigger_event(self, event: Any, sid: str, *arguments: Any) -> Any:
        """Dispatch an event of the connection `sid` to the method `on_<event>`."""
        if not isinstance(event, str) or (
            event in {"connect", "disconnect"} and not self._is_raised(event, sid, arguments)
        ):
            return None
        if event != "disconnect" and self._reads_nothing(sid):
            return None
        return super().trigger_event(event, sid, *arguments)

    def transport_of(self, sid: str) -> Transport | None:
        """Return the transport of a connection, or None when it is gone."""
        connection = connection_of(self.server, self.namespace, sid)
        return None if connection is None else self._transport_for(connection)

    def _reads_nothing(self, sid: str) -> bool:
        """Break off the connection of a client that lets too many answers wait, and tell whether it was one."""
        transport = self.transport_of(sid)
        if transport is None or transport.queued_messages < MAX_UNREAD_ANSWERS:
            return False
        logger.warning("A client that sends and does not read is given up")
        transport.disconnect()
        return True

    def _is_raised(self, event: str, sid: str, arguments: tuple[Any, ...]) -> bool:
        """Whether the library raised this event, rather than a client sent it."""
        if event == "disconnect":  # By then the library does not count the connection among the connected any more.
            return not self.server.manager.is_connected(sid, self.namespace)
        return bool(arguments) and arguments[0] is self.server.get_environ(sid, self.namespace)
