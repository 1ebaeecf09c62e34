"""Which connection gets which UI update.

`publish` appends an update to the log, which returns it with its position, and then delivers it: `append` never calls
back into the domain. A shared log also broadcasts each update to the routers of all servers, in `seq` order, among
them the one that it was published at; that calls `deliver`. A subscriber takes an update from whichever comes first,
but only as its next one: a repeat is ignored, and one that came early is left to the broadcast. So local and shared
logs give subscribers the same order, and publishers the same answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from asf.domain.access.control import AccessControl
from asf.domain.clock import Clock
from asf.domain.errors import AsfError, NotSubscribed, TooManySubscriptions, UiEmitFailed, UiUpdateError
from asf.domain.updates.delivery import Delivery
from asf.domain.updates.limits import MAX_SUBSCRIPTIONS
from asf.domain.updates.ports import UiUpdateEmitter, UiUpdateObserver, UpdateLog
from asf.domain.updates.publish_attempts import Attempts
from asf.domain.updates.replay import Replay
from asf.domain.updates.subscriber import Subscriber
from asf.domain.updates.subscriptions import Subscriptions
from asf.domain.updates.update import AppendResult, Position, Recovery, SequencedUpdate, Subscription, UiUpdate


@dataclass(frozen=True, slots=True)
class Published:
    """The answer to a publisher: the position of the update, which a `duplicate` had before.

    `subscribers` is how many connections the update was handed to; with a shared log, or of a duplicate, how many are
    subscribed.
    """

    epoch: str
    seq: int
    subscribers: int
    duplicate: bool


def _run_now(work: Callable[[], object]) -> None:
    work()


class UiUpdateRouter:
    """Delivers each update to exactly the connections that subscribed to its client, in `seq` order.

    `emitter` is None if the server has no namespace for UI updates. `spawn` runs work that asks the log in a task of
    its own; a log that never yields needs none. `subscribe` and `publish` may yield while they wait for the log.
    Updates that arrive meanwhile are held for each subscription, and each is looked up again after every wait, as it
    may have ended. Delivery itself never yields.
    """

    def __init__(
        self,
        emitter: UiUpdateEmitter | None,
        log: UpdateLog,
        access: AccessControl,
        clock: Clock,
        observer: UiUpdateObserver,
        spawn: Callable[[Callable[[], object]], object] = _run_now,
    ) -> None:
        self._delivery = Delivery(emitter, observer, self.drop)
        self._replay = Replay(self._delivery, log, clock)
        self._log = log
        self._access = access
        self._clock = clock
        self._observer = observer
        self._spawn = spawn
        self._subscribers = Subscriptions()
        self._attempts = Attempts()
        log.connect(self.deliver, self.recover_missed)

    @property
    def subscriptions(self) -> int:
        """How many pairs of a connection and a client there are."""
        return len(self._subscribers)

    def subscribe(
        self, connection_id: str, client_id: str, since: Position | None = None, token: object = None
    ) -> None:
        """Send the updates of `client_id` to the connection from now on, after a confirmation.

        With `since`, the updates after that position are replayed first, without a gap, a repeat or a change of
        order, or none at all if some of them are no longer kept; each is sent with its position then. Subscribing
        again replaces the subscription. It ends with `token`, where one is required. Raises `UiNamespaceMissing`,
        `TooManySubscriptions` or `Unauthorized`, and then nothing has changed, or `UiEmitFailed` when the log cannot
        be reached or the transport fails, and then there is no subscription. Nothing is sent if it ended meanwhile.
        """
        self._delivery.check()
        until = self._access.check_client(token, client_id)
        earlier = self._subscribers.get(connection_id, client_id)
        if earlier is None and len(self._subscribers.of_connection(connection_id)) >= MAX_SUBSCRIPTIONS:
            raise TooManySubscriptions(f"There are {MAX_SUBSCRIPTIONS}.")
        if earlier is not None:
            self._remove(earlier)
        subscriber = Subscriber(connection_id, client_id, with_position=since is not None)
        self._subscribers.add(subscriber)
        self._access.end_at((connection_id, client_id), until, partial(self._end, subscriber))
        try:
            recovery = self._start(subscriber, since)
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
        if self._delivery.confirm(subscriber, subscription) and not self._delivery.deliver_held(subscriber):
            self._replay.serve_or_break_off([subscriber])

    def unsubscribe(self, connection_id: str, client_id: str) -> None:
        """Send the updates of `client_id` to the connection no more. Raises `NotSubscribed`."""
        subscriber = self._subscribers.get(connection_id, client_id)
        if subscriber is None:
            raise NotSubscribed
        self._remove(subscriber)

    def drop(self, connection_id: str) -> None:
        """Forget a connection and all its subscriptions. An unknown one has no effect."""
        for subscriber in self._subscribers.of_connection(connection_id):
            self._remove(subscriber)

    def publish(self, update: UiUpdate) -> Published:
        """Append `update` to the log, and deliver it to every connection that subscribed to its client.

        One that was published before, by its idempotency key, is not published again. Raises `UiNamespaceMissing` if
        this server has no namespace for UI updates, `IdempotencyConflict` when the key belongs to another update, and
        `UiEmitFailed` when the log cannot keep the update, or when the transport of a connection to this server
        failed to take it. In the latter case the update is kept, the others have it, and the connection is closed.
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

    def deliver(self, update: SequencedUpdate) -> None:
        """Deliver an update that the log broadcasts. Never blocks: subscribers that are behind catch up in a task."""
        subscribers = self._subscribers.of_client(update.client_id)
        self._deliver(update, subscribers, len(subscribers))

    def recover_missed(self) -> None:
        """Deliver to every connection what it lacks, after updates may have been lost on their way from the log.

        Raises `UiEmitFailed` when the log cannot be reached; call it again then.
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
        with self._attempts.start(update.client_id) as attempt:
            appended = self._log.append(update, self._clock.timestamp(), self._clock.now())
            kept, subscribers = appended.update, appended.subscribers
            if not appended.duplicate:
                self._deliver_appended(appended)
                attempt.check(kept)
                subscribers = max(0, subscribers - attempt.refused(kept))
        return Published(kept.epoch, kept.seq, subscribers, appended.duplicate)

    def _deliver_appended(self, appended: AppendResult) -> None:
        """Deliver an update that was appended here.

        If the log broadcasts it, subscribers that lack something before it, or had it already, are left to that: the
        broadcasts come in order, the returns of `append` need not.
        """
        subscribers = self._subscribers.of_client(appended.update.client_id)
        count = len(subscribers)
        if appended.is_broadcast:
            subscribers = [one for one in subscribers if not one.holds_back and one.is_next(appended.update)]
        self._deliver(appended.update, subscribers, count)

    def _deliver(self, update: SequencedUpdate, subscribers: list[Subscriber], count: int) -> None:
        """Deliver an update to some of the `count` subscribers here, and record who did not take it."""
        refused = 0
        failures: list[UiEmitFailed] = []
        behind = []
        for subscriber in subscribers:
            held_back = subscriber.holds_back
            try:
                refused += not self._delivery.offer(subscriber, update)
            except UiEmitFailed as failure:
                refused += 1
                failures.append(failure)
            if subscriber.holds_back and not held_back:
                behind.append(subscriber)
        if refused:
            self._attempts.record(update, count, refused, failures)
        if behind:
            self._spawn(partial(self._replay.serve_or_break_off, behind))

    def _start(self, subscriber: Subscriber, since: Position | None) -> Recovery | None:
        """Follow the client first, and then ask the log for earlier updates, so that none is missed between the two.

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
        """End a subscription. One that has ended is left as it is."""
        if subscriber.has_ended:
            return
        subscriber.has_ended = True
        subscriber.release()
        self._subscribers.remove(subscriber)
        self._access.forget((subscriber.connection_id, subscriber.client_id))
        if subscriber.is_followed:
            self._log.unfollow(subscriber.client_id)
