"""Which connection gets which UI update."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

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
from asf.domain.updates import EVERYTHING, Handover, Position, Recovery, SequencedUpdate, Subscription, UiUpdate


@dataclass(frozen=True, slots=True)
class Published:
    """What became of an update: its place, how many connections it was handed to, and whether it came before."""

    epoch: str
    seq: int
    subscribers: int
    duplicate: bool


MAX_SUBSCRIPTIONS = 100
"""Most clients that one connection may subscribe to."""

MAX_HELD_UPDATES = 1000
MAX_HELD_BYTES = 1024 * 1024
"""What may be held back for a connection while the log is asked what goes before: as much as may wait to go out."""

MAX_RECOVERIES = 5
"""How often in a row it is looked what a connection lacks, before it is given up."""


@dataclass(slots=True, eq=False)
class _Subscriber:
    """One connection that wants the updates of one client.

    `delivered` is the place of the latest update that it was handed. While `held` is a queue, updates wait there for
    those that go before them; then the log is being asked.
    """

    connection_id: str
    client_id: str
    with_position: bool
    delivered: Position = EVERYTHING
    held: deque[SequencedUpdate] | None = field(default_factory=deque)
    held_bytes: int = 0
    must_look: bool = False
    """Whether updates may have been left out while the log was asked."""
    is_followed: bool = False
    has_ended: bool = False

    def hold(self, update: SequencedUpdate) -> bool:
        """Keep an update until its turn; tell whether it is not too much."""
        if self.held is None:
            self.held = deque()
        self.held.append(update)
        self.held_bytes += len(update.data_json)
        return len(self.held) <= MAX_HELD_UPDATES and self.held_bytes <= MAX_HELD_BYTES

    def release(self) -> None:
        """Hold nothing back any more."""
        self.held = None
        self.held_bytes = 0

    def has(self, update: SequencedUpdate) -> bool:
        return update.epoch == self.delivered.epoch and update.seq <= self.delivered.seq

    def is_next(self, update: SequencedUpdate) -> bool:
        return update.epoch == self.delivered.epoch and update.seq == self.delivered.seq + 1


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
        self._emitter = emitter
        self._log = log
        self._access = access
        self._clock = clock
        self._observer = observer
        # Dictionaries for their order: updates reach the connections in the order in which they subscribed.
        self._subscribers: dict[str, dict[str, _Subscriber]] = {}
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
        emitter = self._emitter
        if emitter is None:
            raise UiNamespaceMissing
        until = self._access.check_client(token, client_id)
        clients = self._clients.get(connection_id, {})
        if client_id not in clients and len(clients) >= MAX_SUBSCRIPTIONS:
            raise TooManySubscriptions(f"There are {MAX_SUBSCRIPTIONS}.")
        subscriber = self._add(_Subscriber(connection_id, client_id, with_position=since is not None))
        self._access.end_at((connection_id, client_id), until, partial(self._end, emitter, subscriber))
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
        if self._hand_over(connection_id, partial(emitter.confirm, connection_id, subscription)):
            subscriber.delivered = recovery.latest
            if not self._hand_over_held(emitter, subscriber):
                self._serve_or_give_up(emitter, [subscriber])

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
        emitter = self._emitter
        if emitter is None:
            return 0
        subscribers = list(self._subscribers.get(update.client_id, {}).values())
        handed_over = 0
        failures: list[UiEmitFailed] = []
        behind = []
        for subscriber in subscribers:
            try:
                if subscriber.has_ended or subscriber.has(update):
                    continue
                if subscriber.held is None and subscriber.is_next(update):
                    handed_over += self._emit(emitter, subscriber, update)
                    continue
                if subscriber.held is None:
                    behind.append(subscriber)
                handed_over += self._hold(emitter, subscriber, update)
            except UiEmitFailed as failure:
                failures.append(failure)
        self._serve_or_give_up(emitter, behind)
        if failures:
            raise UiEmitFailed(f"{len(failures)} of {len(subscribers)} connections: {failures[0].details}")
        return handed_over

    def look_for_missed(self) -> None:
        """Hand every connection what it lacks, as updates may have been left out.

        Raises `UiEmitFailed` when the log cannot be asked; it is to be called again then.
        """
        emitter = self._emitter
        if emitter is None:
            return
        for client_id in list(self._subscribers):
            behind = []
            for subscriber in self._subscribers.get(client_id, {}).values():
                if subscriber.held is None:
                    subscriber.held = deque()
                    behind.append(subscriber)
                else:
                    subscriber.must_look = True
            self._recover(emitter, behind)

    def _publish(self, update: UiUpdate) -> Published:
        if self._emitter is None:
            raise UiNamespaceMissing("ASF_UI_UPDATES_NAMESPACE is empty.")
        appended = self._log.append(update, self._clock.timestamp(), self._clock.now())
        kept = appended.update
        return Published(kept.epoch, kept.seq, appended.subscribers, appended.duplicate)

    def _end(self, emitter: UiUpdateEmitter, subscriber: _Subscriber, reason: AsfError) -> None:
        self._remove(subscriber)
        connection_id, client_id = subscriber.connection_id, subscriber.client_id
        with suppress(UiEmitFailed):  # Then the connection is broken off.
            self._hand_over(connection_id, partial(emitter.end, connection_id, client_id, reason))

    # What goes before the updates that are held for a connection.

    def _begin(self, subscriber: _Subscriber, since: Position | None) -> Recovery | None:
        """Let the log tell of updates, then ask it for earlier ones: in this order nothing falls between the two.

        Returns None where the subscription has ended meanwhile.
        """
        client_id = subscriber.client_id
        self._log.follow(client_id)
        if subscriber.has_ended:
            self._log.unfollow(client_id)
            return None
        subscriber.is_followed = True
        recovery = self._log.recover(client_id, since, self._clock.now())
        return recovery if self._is_subscribed(subscriber) else None

    def _serve_or_give_up(self, emitter: UiUpdateEmitter, subscribers: list[_Subscriber]) -> None:
        with suppress(UiEmitFailed):  # Whoever lacks something was broken off, and comes back.
            self._recover(emitter, subscribers)

    def _recover(self, emitter: UiUpdateEmitter, subscribers: list[_Subscriber]) -> None:
        """Hand subscribers to one client what goes before the updates that are held for them, and those.

        A connection that cannot have it is broken off, so that its client comes back and hears what it missed.
        Raises `UiEmitFailed` when the log cannot be asked.
        """
        try:
            for _ in range(MAX_RECOVERIES):
                by_place: dict[Position, list[_Subscriber]] = {}
                for subscriber in subscribers:
                    by_place.setdefault(subscriber.delivered, []).append(subscriber)
                for place, some in by_place.items():
                    self._recover_from(emitter, place, some)
                subscribers = [one for one in subscribers if not self._hand_over_held(emitter, one)]
                if not subscribers:
                    return
        finally:
            for subscriber in subscribers:
                if not self._hand_over_held(emitter, subscriber):
                    self._give_up(emitter, subscriber)

    def _recover_from(self, emitter: UiUpdateEmitter, place: Position, subscribers: list[_Subscriber]) -> None:
        """Hand subscribers that are at the same place what the log has behind it."""
        client_id = subscribers[0].client_id
        recovery = self._log.recover(client_id, place, self._clock.now())
        if recovery.recovered:
            for subscriber in subscribers:
                self._catch_up(emitter, subscriber, recovery.updates)
            return
        for subscriber in subscribers:
            if subscriber.with_position:
                self._give_up(emitter, subscriber)
        if all(subscriber.has_ended for subscriber in subscribers):
            return
        # Whoever knows no places would not learn that anything is missing: it gets what there is, in its order.
        recovery = self._log.recover(client_id, EVERYTHING, self._clock.now())
        for subscriber in subscribers:
            held = subscriber.held or deque()
            if recovery.latest.epoch != place.epoch:
                while held and held[0].epoch == place.epoch:
                    self._catch_up(emitter, subscriber, (held.popleft(),))
            self._catch_up(emitter, subscriber, recovery.updates)
            if held and not subscriber.has(held[0]):
                subscriber.delivered = Position(held[0].epoch, held[0].seq - 1)

    def _catch_up(
        self, emitter: UiUpdateEmitter, subscriber: _Subscriber, updates: tuple[SequencedUpdate, ...]
    ) -> None:
        for update in updates:
            if not subscriber.has_ended and not subscriber.has(update):
                self._emit_or_give_up(emitter, subscriber, update)

    def _hand_over_held(self, emitter: UiUpdateEmitter, subscriber: _Subscriber) -> bool:
        """Hand over what is held as far as nothing is missing before it; tell whether that is all."""
        held = subscriber.held
        while held and not subscriber.has_ended:
            if subscriber.is_next(held[0]):
                self._emit_or_give_up(emitter, subscriber, held[0])
            elif not subscriber.has(held[0]):
                return False
            held.popleft()
        if subscriber.must_look and not subscriber.has_ended:
            subscriber.must_look = False
            return False
        subscriber.release()
        return True

    def _hold(self, emitter: UiUpdateEmitter, subscriber: _Subscriber, update: SequencedUpdate) -> bool:
        if subscriber.hold(update):
            return True
        self._give_up(emitter, subscriber)
        return False

    def _give_up(self, emitter: UiUpdateEmitter, subscriber: _Subscriber) -> None:
        emitter.break_off(subscriber.connection_id)
        self.drop(subscriber.connection_id)

    # The way to one connection.

    def _emit(self, emitter: UiUpdateEmitter, subscriber: _Subscriber, update: SequencedUpdate) -> bool:
        subscriber.delivered = Position(update.epoch, update.seq)
        return self._hand_over(
            subscriber.connection_id,
            partial(emitter.emit, subscriber.connection_id, update, with_position=subscriber.with_position),
        )

    def _emit_or_give_up(self, emitter: UiUpdateEmitter, subscriber: _Subscriber, update: SequencedUpdate) -> None:
        with suppress(UiEmitFailed):  # Then the connection is broken off.
            self._emit(emitter, subscriber, update)

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

    # Who is subscribed.

    def _add(self, subscriber: _Subscriber) -> _Subscriber:
        connection_id, client_id = subscriber.connection_id, subscriber.client_id
        earlier = self._subscribers.get(client_id, {}).get(connection_id)
        if earlier is not None:
            self._remove(earlier)
        self._subscribers.setdefault(client_id, {})[connection_id] = subscriber
        self._clients.setdefault(connection_id, {})[client_id] = None
        return subscriber

    def _is_subscribed(self, subscriber: _Subscriber) -> bool:
        return not subscriber.has_ended

    def _remove(self, subscriber: _Subscriber) -> None:
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
