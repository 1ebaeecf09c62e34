"""Which connection gets which UI update."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from asf.domain.access.control import AccessControl
from asf.domain.clock import Clock
from asf.domain.errors import AsfError, NotSubscribed, TooManySubscriptions, UiEmitFailed, UiUpdateError
from asf.domain.updates.delivery import Delivery
from asf.domain.updates.ports import UiUpdateEmitter, UiUpdateObserver, UpdateLog
from asf.domain.updates.replay import Replay
from asf.domain.updates.subscriber import Subscriber
from asf.domain.updates.update import Position, Recovery, SequencedUpdate, Subscription, UiUpdate


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

    `emitter` is None where the server has no namespace for UI updates. Whoever subscribes or publishes waits where
    the log has to be asked, and others run meanwhile: each subscription keeps what comes until its turn, and looks,
    after every wait, whether it still is there. Handing over waits for nothing.
    """

    def __init__(
        self,
        emitter: UiUpdateEmitter | None,
        log: UpdateLog,
        access: AccessControl,
        clock: Clock,
        observer: UiUpdateObserver,
    ) -> None:
        self._delivery = Delivery(emitter, observer, self.drop)
        self._catch_up = Replay(self._delivery, log, clock)
        self._log = log
        self._access = access
        self._clock = clock
        self._observer = observer
        # Dictionaries for their order: updates reach the connections in the order in which they subscribed.
        self._subscribers: dict[str, dict[str, Subscriber]] = {}
        self._clients: dict[str, dict[str, None]] = {}
        log.on_appended = self.deliver
        log.on_interrupted = self.look_for_missed

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
        `Unauthorized`, and then nothing has changed, or `UiEmitFailed` when the log cannot be asked or the connection
        could not be told, and then it is not subscribed. Nothing is said where it was ended meanwhile.
        """
        self._delivery.check()
        until = self._access.check_client(token, client_id)
        clients = self._clients.get(connection_id, {})
        if client_id not in clients and len(clients) >= MAX_SUBSCRIPTIONS:
            raise TooManySubscriptions(f"There are {MAX_SUBSCRIPTIONS}.")
        subscriber = self._add(Subscriber(connection_id, client_id, with_position=since is not None))
        self._access.end_at((connection_id, client_id), until, partial(self._end, subscriber))
        try:
            recovery = self._begin(subscriber, since)
        except UiEmitFailed:
            self._remove(subscriber)
            raise
        if recovery is None:
            return
        if since is None:
            subscription = Subscription(client_id, recovery.latest, recovered=None)
        else:
            subscription = Subscription(client_id, recovery.latest, recovery.recovered, recovery.updates)
            self._observer.recovered("recovered" if recovery.recovered else "not_recovered")
        if self._delivery.confirm(subscriber, subscription) and not self._delivery.hand_over_held(subscriber):
            self._catch_up.serve_or_give_up([subscriber])

    def unsubscribe(self, connection_id: str, client_id: str) -> None:
        """Send the updates of `client_id` to the connection no more. Raises `NotSubscribed`."""
        subscriber = self._subscribers.get(client_id, {}).get(connection_id)
        if subscriber is None:
            raise NotSubscribed
        self._remove(subscriber)

    def drop(self, connection_id: str) -> None:
        """Forget a connection and all that it subscribed to. An unknown one does no harm."""
        for client_id in list(self._clients.get(connection_id, ())):
            self.unsubscribe(connection_id, client_id)

    def publish(self, update: UiUpdate) -> Published:
        """Keep `update`, and hand it to every connection that subscribed to its client.

        One that was published before, by its idempotency key, is not published again. Raises `UiNamespaceMissing`
        where this server relays no updates, `IdempotencyConflict` when the key belongs to another update, and
        `UiEmitFailed` when the log cannot keep it, or a connection could not be served by a log that tells at once;
        the others are served all the same.
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

    def deliver(self, update: SequencedUpdate) -> int:
        """Hand an update that was kept to the connections that subscribed to its client; tell how many took it.

        Raises `UiEmitFailed` when a connection could not be served; the others are served all the same.
        """
        subscribers = list(self._subscribers.get(update.client_id, {}).values())
        handed_over = 0
        failures: list[UiEmitFailed] = []
        behind = []
        for subscriber in subscribers:
            held_back = subscriber.holds_back
            try:
                handed_over += self._delivery.offer(subscriber, update)
            except UiEmitFailed as failure:
                failures.append(failure)
            if subscriber.holds_back and not held_back:
                behind.append(subscriber)
        self._catch_up.serve_or_give_up(behind)
        if failures:
            raise UiEmitFailed(f"{len(failures)} of {len(subscribers)} connections: {failures[0].details}")
        return handed_over

    def look_for_missed(self) -> None:
        """Hand every connection what it lacks, as updates may have been left out.

        Raises `UiEmitFailed` when the log cannot be asked; it is to be called again then.
        """
        for client_id in list(self._subscribers):
            behind = []
            for subscriber in self._subscribers.get(client_id, {}).values():
                if subscriber.holds_back:
                    subscriber.must_look = True
                else:
                    subscriber.hold_back()
                    behind.append(subscriber)
            self._catch_up.serve(behind)

    def _publish(self, update: UiUpdate) -> Published:
        self._delivery.check()
        appended = self._log.append(update, self._clock.timestamp(), self._clock.now())
        kept = appended.update
        return Published(kept.epoch, kept.seq, appended.subscribers, appended.duplicate)

    def _begin(self, subscriber: Subscriber, since: Position | None) -> Recovery | None:
        """Let the log tell of updates, then ask it for earlier ones: in this order nothing falls between the two.

        Returns None where the subscription has ended meanwhile.
        """
        if not self._follow(subscriber):
            return None
        recovery = self._log.recover(subscriber.client_id, since, self._clock.now())
        return None if subscriber.has_ended else recovery

    def _follow(self, subscriber: Subscriber) -> bool:
        self._log.follow(subscriber.client_id)
        if subscriber.has_ended:
            self._log.unfollow(subscriber.client_id)
            return False
        subscriber.is_followed = True
        return True

    def _end(self, subscriber: Subscriber, reason: AsfError) -> None:
        self._remove(subscriber)
        self._delivery.end(subscriber, reason)

    # Who is subscribed.

    def _add(self, subscriber: Subscriber) -> Subscriber:
        connection_id, client_id = subscriber.connection_id, subscriber.client_id
        earlier = self._subscribers.get(client_id, {}).get(connection_id)
        if earlier is not None:
            self._remove(earlier)
        self._subscribers.setdefault(client_id, {})[connection_id] = subscriber
        self._clients.setdefault(connection_id, {})[client_id] = None
        return subscriber

    def _remove(self, subscriber: Subscriber) -> None:
        """End a subscription. One that has ended is left as it is."""
        if subscriber.has_ended:
            return
        subscriber.has_ended = True
        subscriber.release()
        connection_id, client_id = subscriber.connection_id, subscriber.client_id
        _take_out(self._subscribers, client_id, connection_id)
        _take_out(self._clients, connection_id, client_id)
        self._access.forget((connection_id, client_id))
        if subscriber.is_followed:
            self._log.unfollow(client_id)


def _take_out(groups: dict[str, dict[str, Any]], group: str, key: str) -> None:
    del groups[group][key]
    if not groups[group]:
        del groups[group]
