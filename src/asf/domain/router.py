"""Which connection gets which UI update."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from asf.domain.access import AccessControl
from asf.domain.errors import (
    AsfError,
    NotSubscribed,
    TooManySubscriptions,
    UiEmitFailed,
    UiNamespaceMissing,
    UiUpdateError,
)
from asf.domain.ports import Clock, UiUpdateEmitter, UiUpdateObserver, UpdateLog
from asf.domain.updates import Handover, Position, Subscription, UiUpdate


@dataclass(frozen=True, slots=True)
class Published:
    """What became of an update: its place, how many connections it was handed to, and whether it came before."""

    epoch: str
    seq: int
    subscribers: int
    duplicate: bool


MAX_SUBSCRIPTIONS = 100
"""Most clients that one connection may subscribe to."""


class UiUpdateRouter:
    """Knows which connections subscribed to which client, and sends each update to exactly those, in order.

    `emitter` is None where the server has no namespace for UI updates. Nothing here waits: an update is in the log
    and on its way to all connections before the next one, or the next subscription, is dealt with.
    """

    def __init__(
        self,
        emitter: UiUpdateEmitter | None,
        log: UpdateLog,
        access: AccessControl,
        clock: Clock,
        observer: UiUpdateObserver,
    ) -> None:
        self._emitter = emitter
        self._log = log
        self._access = access
        self._clock = clock
        self._observer = observer
        # Dictionaries for their order: updates reach the connections in the order in which they subscribed. The
        # values tell whether a connection wants the place of each update.
        self._connections: dict[str, dict[str, bool]] = {}
        self._clients: dict[str, dict[str, None]] = {}

    @property
    def subscriptions(self) -> int:
        """How many pairs of a connection and a client there are."""
        return sum(map(len, self._clients.values()))

    def subscribe(
        self, connection_id: str, client_id: str, since: Position | None = None, token: object = None
    ) -> None:
        """Send the updates of `client_id` to the connection from now on, after confirming that.

        With `since`, those behind that place go first, without a gap, a repeat or a change of order, or none at all
        where some of them are no longer kept; each is told its place then. Subscribing again begins anew. The
        subscription ends with `token`, where one is required. Raises `UiNamespaceMissing`, `TooManySubscriptions` or
        `Unauthorized`, and then nothing has changed, or `UiEmitFailed` when the connection could not be told.
        """
        emitter = self._emitter
        if emitter is None:
            raise UiNamespaceMissing
        until = self._access.check_client(token, client_id)
        clients = self._clients.get(connection_id, {})
        if client_id not in clients and len(clients) >= MAX_SUBSCRIPTIONS:
            raise TooManySubscriptions(f"There are {MAX_SUBSCRIPTIONS}.")
        recovery = self._log.recover(client_id, since, self._clock.now())
        self._connections.setdefault(client_id, {})[connection_id] = since is not None
        self._clients.setdefault(connection_id, {})[client_id] = None
        self._access.end_at((connection_id, client_id), until, partial(self._end, emitter, connection_id, client_id))
        if since is None:
            subscription = Subscription(client_id, recovery.latest, recovered=None)
        else:
            subscription = Subscription(client_id, recovery.latest, recovery.recovered, recovery.updates)
            self._observer.recovered("recovered" if recovery.recovered else "not_recovered")
        self._hand_over(connection_id, partial(emitter.confirm, connection_id, subscription))

    def unsubscribe(self, connection_id: str, client_id: str) -> None:
        """Send the updates of `client_id` to the connection no more. Raises `NotSubscribed`."""
        clients = self._clients.get(connection_id, {})
        if client_id not in clients:
            raise NotSubscribed
        del clients[client_id]
        if not clients:
            del self._clients[connection_id]
        self._forget(connection_id, client_id)

    def drop(self, connection_id: str) -> None:
        """Forget a connection and all that it subscribed to. An unknown one does no harm."""
        for client_id in self._clients.pop(connection_id, ()):
            self._forget(connection_id, client_id)

    def publish(self, update: UiUpdate) -> Published:
        """Keep `update`, and hand it to every connection that subscribed to its client.

        One that was published before, by its idempotency key, is not published again. Raises `UiNamespaceMissing`
        where this server relays no updates, `IdempotencyConflict` when the key belongs to another update, and
        `UiEmitFailed` when a connection could not be served; the others are served all the same.
        """
        started = self._clock.now()
        try:
            published = self._publish(update)
        except UiUpdateError as error:
            self._observer.relayed(error.error_code, self._clock.now() - started)
            raise
        outcome = "relayed" if published.subscribers else "no_subscriber"
        self._observer.relayed("duplicate" if published.duplicate else outcome, self._clock.now() - started)
        return published

    def _end(self, emitter: UiUpdateEmitter, connection_id: str, client_id: str, reason: AsfError) -> None:
        self.unsubscribe(connection_id, client_id)
        with suppress(UiEmitFailed):  # Then the connection is broken off.
            self._hand_over(connection_id, partial(emitter.end, connection_id, client_id, reason))

    def _publish(self, update: UiUpdate) -> Published:
        emitter = self._emitter
        if emitter is None:
            raise UiNamespaceMissing("ASF_UI_UPDATES_NAMESPACE is empty.")
        appended = self._log.append(update, self._clock.timestamp(), self._clock.now())
        kept = appended.update
        connections = list(self._connections.get(update.client_id, {}).items())
        if appended.duplicate:
            return Published(kept.epoch, kept.seq, len(connections), duplicate=True)
        handed_over = 0
        failures = []
        for connection_id, with_position in connections:
            try:
                handed_over += self._hand_over(
                    connection_id, partial(emitter.emit, connection_id, kept, with_position=with_position)
                )
            except UiEmitFailed as failure:
                failures.append(failure)
        if failures:
            raise UiEmitFailed(f"{len(failures)} of {len(connections)} connections: {failures[0].details}")
        return Published(kept.epoch, kept.seq, handed_over, duplicate=False)

    def _hand_over(self, connection_id: str, hand_over: Callable[[], Handover]) -> bool:
        """Hand something to a connection, and tell whether that took it. A connection that did not is forgotten.

        So a connection that is subscribed has all of its updates, and one that lacks some recovers as it comes back.
        """
        try:
            outcome = hand_over()
        except UiEmitFailed:
            self.drop(connection_id)
            raise
        if outcome is Handover.TAKEN:
            return True
        self.drop(connection_id)
        if outcome is Handover.TOO_SLOW:
            self._observer.subscriber_dropped()
        return False

    def _forget(self, connection_id: str, client_id: str) -> None:
        self._access.forget((connection_id, client_id))
        connections = self._connections[client_id]
        del connections[connection_id]
        if not connections:
            del self._connections[client_id]
