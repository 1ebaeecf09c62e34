"""What ASF's Socket.IO namespaces have in common."""

from typing import Any

from socketio import Namespace


class StrictNamespace(Namespace):
    """A namespace that tells the library's own events from those that clients send under the same names.

    A client's event with a name that is no text, that nobody handles, or that only the library may raise, is ignored.
    """

    def trigger_event(self, event: Any, sid: str, *arguments: Any) -> Any:
        """Dispatch an event of the connection `sid` to the method `on_<event>`."""
        if not isinstance(event, str) or (
            event in {"connect", "disconnect"} and not self._is_raised(event, sid, arguments)
        ):
            return None
        return super().trigger_event(event, sid, *arguments)

    def _is_raised(self, event: str, sid: str, arguments: tuple[Any, ...]) -> bool:
        """Whether the library raised this event, rather than a client sent it."""
        if event == "disconnect":  # By then the library does not count the connection among the connected any more.
            return not self.server.manager.is_connected(sid, self.namespace)
        return bool(arguments) and arguments[0] is self.server.get_environ(sid, self.namespace)
