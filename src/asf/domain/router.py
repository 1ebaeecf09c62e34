"""Which connection gets which UI update."""

from asf.domain.errors import UiEmitFailed, UiNamespaceMissing, UiUpdateError
from asf.domain.ports import Clock, UiUpdateEmitter, UiUpdateObserver
from asf.domain.updates import UiUpdate


class UiUpdateRouter:
    """Knows which connections subscribed to which client, and sends each update to exactly those.

    `emitter` is None where the server has no namespace for UI updates.
    """

    def __init__(self, emitter: UiUpdateEmitter | None, clock: Clock, observer: UiUpdateObserver) -> None:
        self._emitter = emitter
        self._clock = clock
        self._observer = observer
        # Dictionaries for their order: updates reach the connections in the order in which they subscribed.
        self._connections: dict[str, dict[str, None]] = {}
        self._clients: dict[str, dict[str, None]] = {}

    def subscribe(self, connection_id: str, client_id: str) -> None:
        """Send the updates of `client_id` to the connection from now on.

        Subscribing twice changes nothing.
        """
        self._connections.setdefault(client_id, {})[connection_id] = None
        self._clients.setdefault(connection_id, {})[client_id] = None

    def drop(self, connection_id: str) -> None:
        """Forget a connection and all that it subscribed to. An unknown one does no harm."""
        for client_id in self._clients.pop(connection_id, ()):
            connections = self._connections[client_id]
            del connections[connection_id]
            if not connections:
                del self._connections[client_id]

    def publish(self, update: UiUpdate) -> int:
        """Hand `update` to every connection that subscribed to its client, and return how many there were.

        Raises `UiNamespaceMissing` where this server relays no updates, and `UiEmitFailed` when a connection could
        not be served; the others are served all the same.
        """
        started = self._clock.now()
        try:
            subscribers = self._hand_over(update)
        except UiUpdateError as error:
            self._observer.relayed(error.error_code, self._clock.now() - started)
            raise
        self._observer.relayed("relayed" if subscribers else "no_subscriber", self._clock.now() - started)
        return subscribers

    def _hand_over(self, update: UiUpdate) -> int:
        if self._emitter is None:
            raise UiNamespaceMissing("ASF_UI_UPDATES_NAMESPACE is empty.")
        connections = list(self._connections.get(update.client_id, ()))
        failures = []
        for connection_id in connections:
            try:
                self._emitter.emit(connection_id, update)
            except UiEmitFailed as failure:
                failures.append(failure)
        if failures:
            raise UiEmitFailed(f"{len(failures)} of {len(connections)} connections: {failures[0].details}")
        return len(connections)
