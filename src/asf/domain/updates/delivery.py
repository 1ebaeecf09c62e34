"""The way of updates to one subscriber."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from asf.domain.errors import AsfError, UiEmitFailed, UiNamespaceMissing
from asf.domain.updates.ports import UiUpdateEmitter, UiUpdateObserver
from asf.domain.updates.subscriber import Subscriber
from asf.domain.updates.update import Handover, Position, SequencedUpdate, Subscription


class Delivery:
    """Hands things to connections. Nothing here waits.

    A connection that does not take something is forgotten, by `drop`: so one that is subscribed has all of its
    updates, and one that lacks some recovers as it comes back. `emitter` is None where there are no connections.
    """

    def __init__(
        self, emitter: UiUpdateEmitter | None, observer: UiUpdateObserver, drop: Callable[[str], object]
    ) -> None:
        self._optional_emitter = emitter
        self._observer = observer
        self._drop = drop

    def check(self) -> None:
        """Raise `UiNamespaceMissing` where there is no way to connections."""
        _ = self._emitter

    def confirm(self, subscriber: Subscriber, subscription: Subscription) -> bool:
        """Tell a connection what it has subscribed to, and hand it what it missed; tell whether it took that.

        Raises `UiEmitFailed`.
        """
        connection_id = subscriber.connection_id
        if not self._hand_over(connection_id, partial(self._emitter.confirm, connection_id, subscription)):
            return False
        subscriber.delivered = subscription.latest
        return True

    def offer(self, subscriber: Subscriber, update: SequencedUpdate) -> bool:
        """Hand over an update where it is the next one; hold it back where others go before it.

        Returns whether the connection took it, or will have it in its turn. Raises `UiEmitFailed`.
        """
        if subscriber.has_ended or subscriber.has(update):
            return False
        if not subscriber.holds_back and subscriber.is_next(update):
            return self._emit(subscriber, update)
        if subscriber.hold(update):
            return True
        self.give_up(subscriber)
        return False

    def hand_over(self, subscriber: Subscriber, update: SequencedUpdate) -> None:
        """Hand over an update that is not held back, unless the subscriber has it. Whoever fails is broken off."""
        if subscriber.has_ended or subscriber.has(update):
            return
        with suppress(UiEmitFailed):
            self._emit(subscriber, update)

    def hand_over_held(self, subscriber: Subscriber) -> bool:
        """Hand over what is held back as far as nothing is missing before it; tell whether that is all."""
        held = subscriber.held
        while held and not subscriber.has_ended:
            if not subscriber.has(held[0]) and not subscriber.is_next(held[0]):
                return False
            self.hand_over(subscriber, held[0])
            held.popleft()
        if subscriber.must_look and not subscriber.has_ended:
            subscriber.must_look = False
            return False
        subscriber.release()
        return True

    def end(self, subscriber: Subscriber, reason: AsfError) -> None:
        """Tell a connection why its subscription has ended. One that cannot be told is broken off."""
        connection_id = subscriber.connection_id
        with suppress(UiEmitFailed):
            self._hand_over(connection_id, partial(self._emitter.end, connection_id, subscriber.client_id, reason))

    def give_up(self, subscriber: Subscriber) -> None:
        """Break the connection off, so that its client comes back and hears what it missed."""
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
            connection_id, partial(self._emitter.emit, connection_id, update, with_position=with_position)
        )

    def _hand_over(self, connection_id: str, hand_over: Callable[[], Handover]) -> bool:
        """Hand something to a connection, and tell whether that took it. A connection that did not is forgotten."""
        try:
            outcome = hand_over()
        except UiEmitFailed:
            self._drop(connection_id)
            raise
        if outcome is Handover.TAKEN:
            return True
        self._drop(connection_id)
        if outcome is Handover.TOO_SLOW:
            self._observer.subscriber_dropped()
        return False
