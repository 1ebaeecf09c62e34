"""The router: delivers each UI update to the connections that subscribed to its client.

`publish` appends an update to the log, which returns it with its position, and then delivers it: `append` never calls
back into the domain. A shared log also broadcasts each update in `seq` order to the routers of all servers, the
publishing one included, by calling `deliver`. A subscriber takes an update from whichever comes first, but only as
its next one: a repeat is ignored, and one that came too early is left to the broadcast. So local and shared logs give
subscribers the same order, and publishers the same answer.
"""

import itertools
from collections.abc import Callable
from functools import partial

from asf.domain.access.control import AccessControl
from asf.domain.clock import Clock
from asf.domain.errors import AsfError, NotSubscribed, TooManySubscriptions, UiEmitFailed, UiUpdateError
from asf.domain.peer import Peer
from asf.domain.updates.batch import Batch, Published
from asf.domain.updates.delivery import Delivery
from asf.domain.updates.limits import MAX_SUBSCRIPTIONS
from asf.domain.updates.ports import UiUpdateEmitter, UiUpdateObserver, UpdateLog
from asf.domain.updates.publish_attempts import Attempts
from asf.domain.updates.readers import Readers
from asf.domain.updates.replay import Replay
from asf.domain.updates.subscriber import Subscriber
from asf.domain.updates.subscriptions import Subscriptions
from asf.domain.updates.update import AppendResult, Position, Recovery, SequencedUpdate, Subscription, UiUpdate


def _run_now(work: Callable[[], object]) -> None:
    work()


def _go_on() -> None:
    """Yield to nobody."""


def _pass_time(_seconds: float) -> None:
    """Do not wait."""


class UiUpdateRouter:
    """Delivers each update to exactly the connections that subscribed to its client, in `seq` order.

    `emitter` is None if the server has no namespace for UI updates. `spawn` runs work that reads the log in a task of
    its own; a log that never yields needs none. `subscribe` and `publish` may yield while they wait for the log.
    Updates that arrive meanwhile are held for each subscription; a subscription may also end meanwhile, so its state
    is checked again after each wait.

    `checkpoint` is called after each delivery, and may yield: so however many updates and subscribers there are,
    other tasks run meanwhile. Updates that are published in between overtake none: see `_deliver`. `pause` suspends
    the calling task for a number of seconds: see `batch`.
    """

    def __init__(
        self,
        emitter: UiUpdateEmitter | None,
        log: UpdateLog,
        access: AccessControl,
        clock: Clock,
        observer: UiUpdateObserver,
        spawn: Callable[[Callable[[], object]], object] = _run_now,
        checkpoint: Callable[[], object] = _go_on,
        pause: Callable[[float], object] = _pass_time,
    ) -> None:
        self._delivery = Delivery(emitter, observer, self.drop, checkpoint)
        self._replay = Replay(self._delivery, log, clock)
        self._log = log
        self._access = access
        self._clock = clock
        self._observer = observer
        self._spawn = spawn
        self._checkpoint = checkpoint
        self._subscribers = Subscriptions()
        self._numbers = itertools.count(1)
        self._readers = Readers(self._subscribers, self._delivery, clock, pause)
        self._attempts = Attempts()
        # The updates that are being delivered, by client, in `seq` order.
        self._in_hand: dict[str, list[SequencedUpdate]] = {}
        log.connect(self.deliver, self.recover_missed)

    @property
    def is_local(self) -> bool:
        """Whether no method waits for another machine."""
        return self._log.is_local

    @property
    def subscriptions(self) -> int:
        """How many pairs of a connection and a client there are."""
        return len(self._subscribers)

    def subscribe(
        self, connection_id: str, client_id: str, since: Position | None = None, token: object = None
    ) -> None:
        """Send the updates of `client_id` to the connection from now on, after a confirmation.

        With `since`, each update is sent with its position, and those after `since` are replayed first: in order,
        without gaps or repeats, or none at all if some of them are no longer kept. Subscribing again replaces the
        subscription. It ends when `token` expires, if tokens are required. Nothing is sent if it ends before it is
        confirmed.

        Raises `UiNamespaceMissing`, `TooManySubscriptions` or `Unauthorized`, after which nothing has changed, or
        `UiEmitFailed` when the log cannot be reached or the transport fails, after which there is no subscription.
        """
        self._delivery.check()
        until = self._access.check_client(token, client_id)
        earlier = self._subscribers.get(connection_id, client_id)
        if earlier is None and len(self._subscribers.of_connection(connection_id)) >= MAX_SUBSCRIPTIONS:
            raise TooManySubscriptions(f"The limit is {MAX_SUBSCRIPTIONS} per connection.")
        if earlier is not None:
            self._remove(earlier)
        subscriber = Subscriber(
            connection_id,
            client_id,
            with_position=since is not None,
            number=next(self._numbers),
            since=self._clock.now(),
        )
        self._subscribers.add(subscriber)
        self._access.end_at((connection_id, client_id), until, partial(self._end, subscriber))
        try:
            recovery = self._start(subscriber, since)
        except UiEmitFailed:
            if subscriber.has_ended:
                return
            self._remove(subscriber)
            raise
        if recovery is None:
            return
        if since is None:
            subscription = Subscription(client_id, recovery.latest, recovered=None)
        else:
            subscription = Subscription(client_id, recovery.latest, recovery.recovered, recovery.updates)
            self._observer.recovered("recovered" if recovery.recovered else "not_recovered")
        if not self._delivery.confirm(subscriber, subscription):
            return
        if self._delivery.replay(subscriber, subscription.missed) and not self._delivery.deliver_held(subscriber):
            self._replay.serve_or_break_off([subscriber])

    def unsubscribe(self, connection_id: str, client_id: str) -> None:
        """Stop sending the updates of `client_id` to the connection. Raises `NotSubscribed`."""
        subscriber = self._subscribers.get(connection_id, client_id)
        if subscriber is None:
            raise NotSubscribed
        self._remove(subscriber)

    def subscribers(self) -> list[Subscriber]:
        """Return all subscriptions, in the order of their numbers."""
        return self._subscribers.all()

    def peer(self, subscriber: Subscriber) -> Peer | None:
        """Return who has subscribed; None if the connection has ended."""
        return self._delivery.peer(subscriber)

    def end(self, subscription_id: str, reason: AsfError) -> Subscriber | None:
        """End a subscription, and send its connection the reason. Returns it; None if there is none."""
        connection_id = subscription_id.rpartition(".")[0]
        for subscriber in self._subscribers.of_connection(connection_id):
            if subscriber.subscription_id == subscription_id:
                self._end(subscriber, reason)
                return subscriber
        return None

    def drop(self, connection_id: str) -> None:
        """Remove a connection and all its subscriptions. An unknown one is ignored."""
        for subscriber in self._subscribers.of_connection(connection_id):
            self._remove(subscriber)

    def publish(self, update: UiUpdate) -> Published:
        """Append `update` to the log, and deliver it to every connection that subscribed to its client.

        An update whose idempotency key shows that it was published before is not published again. Raises
        `UiNamespaceMissing` if this server has no namespace for UI updates, `IdempotencyConflict` when the key
        belongs to another update, and `UiEmitFailed` when the log cannot store the update, or the transport of a
        connection to this server fails. In the latter case the update is stored, delivered to the other connections,
        and the failed connection is closed.
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

    def batch(self) -> Batch:
        """Return what publishes updates that have arrived together."""
        return Batch(self.publish, self._readers)

    def deliver(self, update: SequencedUpdate) -> None:
        """Deliver an update that the log broadcasts. May yield. Subscribers that are behind catch up in a task."""
        subscribers = self._subscribers.of_client(update.client_id)
        self._deliver(update, subscribers, len(subscribers), [update])

    def recover_missed(self) -> None:
        """Deliver the updates that connections missed, after some may have been lost on the way from the log.

        Raises `UiEmitFailed` when the log cannot be reached; call it again later in that case.
        """
        for client_id in self._subscribers.client_ids():
            behind = []
            for subscriber in self._subscribers.of_client(client_id):
                if subscriber.holds_back:
                    subscriber.must_replay = True
                else:
                    subscriber.hold_back()
                    behind.append(subscriber)
            self._replay.serve(behind)

    def _publish(self, update: UiUpdate) -> Published:
        self._delivery.check()
        attempt = self._attempts.start(update.client_id)
        try:
            appended = self._log.append(update, self._clock.timestamp(), self._clock.now())
            kept, subscribers = appended.update, appended.subscribers
            if not appended.duplicate:
                self._deliver_appended(appended)
                subscribers = max(0, subscribers - attempt.check(kept))
        finally:
            self._attempts.finish(attempt)
        return Published(kept.epoch, kept.seq, subscribers, appended.duplicate)

    def _deliver_appended(self, appended: AppendResult) -> None:
        """Deliver an update that was appended here.

        If the log broadcasts it, only subscribers whose next update it is get it here. The broadcast serves the
        others: it comes in order, the returns of `append` need not.
        """
        subscribers = self._subscribers.of_client(appended.update.client_id)
        count = len(subscribers)
        if appended.is_broadcast:
            subscribers = [one for one in subscribers if not one.holds_back and one.is_next(appended.update)]
            self._deliver(appended.update, subscribers, count, [appended.update])
            return
        in_hand = self._in_hand.setdefault(appended.update.client_id, [])
        in_hand.append(appended.update)
        try:
            self._deliver(appended.update, subscribers, count, in_hand)
        finally:
            in_hand.remove(appended.update)
            if not in_hand:
                del self._in_hand[appended.update.client_id]

    def _deliver(
        self, update: SequencedUpdate, subscribers: list[Subscriber], count: int, in_hand: list[SequencedUpdate]
    ) -> None:
        """Deliver an update to `subscribers`, which are some of the `count` here, and record failed deliveries.

        May yield after each of them. Then another update of the client may be published before this one has reached
        everybody. So each subscriber is offered all that is `in_hand`, in order, and takes what it did not have.
        """
        behind: list[Subscriber] = []
        try:
            for subscriber in subscribers:
                held_back = subscriber.holds_back
                if len(in_hand) == 1 and not subscriber.has_ended:
                    self._offer(subscriber, update, count)
                else:
                    self._offer_all(subscriber, update, count, in_hand)
                if subscriber.holds_back and not held_back:
                    behind.append(subscriber)
                self._checkpoint()
        finally:
            if behind:
                self._spawn(partial(self._replay.serve_or_break_off, behind))

    def _offer(self, subscriber: Subscriber, update: SequencedUpdate, count: int) -> bool:
        """Offer an update to a subscriber, and record a failure. Returns whether it was delivered."""
        try:
            if self._delivery.offer(subscriber, update):
                return True
            self._attempts.record(update, count, 1, [])
        except UiEmitFailed as error:
            self._attempts.record(update, count, 1, [error])
        return False

    def _offer_all(
        self, subscriber: Subscriber, update: SequencedUpdate, count: int, in_hand: list[SequencedUpdate]
    ) -> None:
        is_recorded = False
        for one in in_hand:
            if subscriber.has_ended:
                break
            if not self._offer(subscriber, one, count):
                is_recorded |= one is update
        # It may also have ended before, while the others were served.
        if subscriber.has_ended and not is_recorded and not subscriber.has(update):
            self._attempts.record(update, count, 1, [])

    def _start(self, subscriber: Subscriber, since: Position | None) -> Recovery | None:
        """Follow the client, and only then read earlier updates from the log, so that none is missed in between.

        Returns None if the subscription has ended meanwhile.
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

    def _remove(self, subscriber: Subscriber) -> None:
        """End a subscription. One that has ended is not changed."""
        if subscriber.has_ended:
            return
        subscriber.has_ended = True
        subscriber.release()
        self._subscribers.remove(subscriber)
        self._access.forget((subscriber.connection_id, subscriber.client_id))
        if subscriber.is_followed:
            self._log.unfollow(subscriber.client_id)
