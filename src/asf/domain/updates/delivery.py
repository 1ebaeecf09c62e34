"""Delivery of updates to single connections."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial

from asf.domain.errors import AsfError, UiEmitFailed, UiNamespaceMissing
from asf.domain.peer import Peer
from asf.domain.updates.ports import UiUpdateEmitter, UiUpdateObserver
from asf.domain.updates.subscriber import Pressure, Subscriber
from asf.domain.updates.update import Handover, Position, SequencedUpdate, Subscription

REPLAYED_AT_ONCE = 32
"""Maximum missed updates that are handed over before other tasks may run: a fraction of a millisecond's work."""

_NO_PRESSURE = Pressure.NONE


class Delivery:
    """Hands updates to connections. No method blocks; only `replay`, `deliver_held` and `deliver_all` may yield.

    A connection to which something cannot be delivered is dropped, by `drop`. So a subscribed connection has all of
    its updates, and a client that missed some recovers them when it reconnects. `emitter` is None if the server has
    no namespace for UI updates.
    """

    def __init__(
        self,
        emitter: UiUpdateEmitter | None,
        observer: UiUpdateObserver,
        drop: Callable[[str], object],
        checkpoint: Callable[[], object],
    ) -> None:
        self._optional_emitter = emitter
        self._observer = observer
        self._drop = drop
        self._checkpoint = checkpoint

    def check(self) -> None:
        """Raise `UiNamespaceMissing` if the server has no namespace for UI updates."""
        _ = self._emitter

    def confirm(self, subscriber: Subscriber, subscription: Subscription) -> bool:
        """Confirm a subscription. Returns whether the connection took it. Raises `UiEmitFailed`.

        From then on it counts as having the updates that it missed: `replay` follows.
        """
        connection_id = subscriber.connection_id
        if not self._hand_over(subscriber, partial(self._emitter.confirm, connection_id, subscription)):
            return False
        subscriber.delivered = subscription.latest
        return True

    def replay(self, subscriber: Subscriber, missed: Sequence[SequencedUpdate]) -> bool:
        """Send a confirmed subscription the updates that it missed, unless it ends. May yield.

        Returns whether the connection took them; new ones are held meanwhile. Raises `UiEmitFailed`.
        """
        for start in range(0, len(missed), REPLAYED_AT_ONCE):
            if subscriber.has_ended:
                return False
            some = missed[start : start + REPLAYED_AT_ONCE]
            if not self._hand_over(subscriber, partial(self._emitter.replay, subscriber.connection_id, some)):
                return False
            self._checkpoint()
        return not subscriber.has_ended

    def offer(self, subscriber: Subscriber, update: SequencedUpdate) -> bool:
        """Deliver an update if it is the subscriber's next one; hold it if earlier ones are missing.

        Returns False if the connection did not take it and was dropped, and True also if it had the update before.
        Raises `UiEmitFailed`.
        """
        if subscriber.has_ended or subscriber.has(update):
            return True
        if not subscriber.holds_back and subscriber.is_next(update):
            return self._emit(subscriber, update)
        if subscriber.hold(update):
            return True
        self.break_off(subscriber)
        return False

    def deliver(self, subscriber: Subscriber, update: SequencedUpdate) -> None:
        """Deliver an update at once, unless the subscriber had it before. A connection that fails is dropped."""
        if subscriber.has_ended or subscriber.has(update):
            return
        with suppress(UiEmitFailed):
            self._emit(subscriber, update)

    def deliver_all(self, subscriber: Subscriber, updates: Iterable[SequencedUpdate]) -> None:
        """Do as `deliver` with each update, while more may be held for the subscriber. May yield."""
        for update in updates:
            self.deliver(subscriber, update)
            self._checkpoint()

    def deliver_held(self, subscriber: Subscriber) -> bool:
        """Deliver held updates up to the first gap. Returns whether no replay is needed; then nothing is held.

        May yield: what arrives meanwhile is held, and delivered too.
        """
        held = subscriber.held
        while held and not subscriber.has_ended:
            if not subscriber.has(held[0]) and not subscriber.is_next(held[0]):
                return False
            self.deliver(subscriber, held.popleft())
            self._checkpoint()
        if subscriber.must_replay and not subscriber.has_ended:
            subscriber.must_replay = False
            return False
        subscriber.release()
        return True

    def end(self, subscriber: Subscriber, reason: AsfError) -> None:
        """Send a connection the reason why its subscription has ended. A connection that fails is dropped."""
        connection_id = subscriber.connection_id
        with suppress(UiEmitFailed):
            self._hand_over(subscriber, partial(self._emitter.end, connection_id, subscriber.client_id, reason))

    def peer(self, subscriber: Subscriber) -> Peer | None:
        """Return who has subscribed; None if the connection has ended."""
        return self._emitter.peer(subscriber.connection_id)

    def waiting(self, subscriber: Subscriber) -> float:
        """Return how much waits to be sent to the connection, as a fraction of what may."""
        return self._emitter.waiting(subscriber.connection_id)

    def break_off(self, subscriber: Subscriber) -> None:
        """Close the connection, so that its client reconnects and recovers the updates that it missed."""
        self._emitter.break_off(subscriber.connection_id)
        self._drop(subscriber.connection_id)

    @property
    def _emitter(self) -> UiUpdateEmitter:
        if self._optional_emitter is None:
            raise UiNamespaceMissing("ASF_UI_UPDATES_NAMESPACE is empty.")
        return self._optional_emitter

    def _emit(self, subscriber: Subscriber, update: SequencedUpdate) -> bool:
        subscriber.delivered = Position(update.epoch, update.seq)
        connection_id, with_position = subscriber.connection_id, subscriber.with_position
        return self._hand_over(
            subscriber, partial(self._emitter.emit, connection_id, update, with_position=with_position)
        )

    def _hand_over(self, subscriber: Subscriber, hand_over: Callable[[], Handover]) -> bool:
        """Hand something to a connection. Returns whether it was taken; if not, the connection is dropped."""
        try:
            outcome = hand_over()
        except UiEmitFailed:
            self._drop(subscriber.connection_id)
            raise
        if outcome is Handover.TAKEN:
            subscriber.pressure = _NO_PRESSURE
            return True
        if outcome is Handover.FILLING:
            if subscriber.pressure is Pressure.NONE:
                subscriber.pressure = Pressure.FILLING
            return True
        self._drop(subscriber.connection_id)
        if outcome is Handover.TOO_SLOW:
            self._observer.subscriber_dropped()
        return False
