"""Replay: subscribers that are behind catch up from the log."""

from collections import deque
from contextlib import suppress

from asf.domain.clock import Clock
from asf.domain.errors import UiEmitFailed
from asf.domain.updates.delivery import Delivery
from asf.domain.updates.ports import UpdateLog
from asf.domain.updates.subscriber import Subscriber
from asf.domain.updates.update import EVERYTHING, Position, SequencedUpdate

MAX_REPLAYS = 5
"""Maximum consecutive replays before the connection is closed."""


class Replay:
    """Delivers missed updates from the log, then the updates held meanwhile.

    The log and the delivery may yield to other tasks: meanwhile more updates may be held, and subscriptions may end.
    """

    def __init__(self, delivery: Delivery, log: UpdateLog, clock: Clock) -> None:
        self._delivery = delivery
        self._log = log
        self._clock = clock

    def serve_or_break_off(self, subscribers: list[Subscriber]) -> None:
        """Do as `serve`, but if the log cannot be reached, close the connections that missed updates."""
        with suppress(UiEmitFailed):
            self.serve(subscribers)

    def serve(self, subscribers: list[Subscriber]) -> None:
        """Deliver all missed updates to subscribers of one client, each of which holds updates back.

        A connection to which they cannot be delivered is closed, so that its client reconnects and recovers them.
        Raises `UiEmitFailed` when the log cannot be reached.
        """
        subscribers = [one for one in subscribers if not one.has_ended]
        try:
            for _ in range(MAX_REPLAYS):
                by_position: dict[Position, list[Subscriber]] = {}
                for subscriber in subscribers:
                    by_position.setdefault(subscriber.delivered, []).append(subscriber)
                for position, some in by_position.items():
                    self._serve_from(position, some)
                subscribers = [one for one in subscribers if not self._delivery.deliver_held(one)]
                if not subscribers:
                    return
        finally:
            for subscriber in subscribers:
                if not self._delivery.deliver_held(subscriber):
                    self._delivery.break_off(subscriber)

    def _serve_from(self, position: Position, subscribers: list[Subscriber]) -> None:
        """Deliver the log's updates after a position to the subscribers at that position."""
        client_id = subscribers[0].client_id
        recovery = self._log.recover(client_id, position, self._clock.now())
        if recovery.recovered:
            for subscriber in subscribers:
                self._delivery.deliver_all(subscriber, recovery.updates)
            return
        for subscriber in subscribers:
            if subscriber.with_position:
                self._delivery.break_off(subscriber)
        if not all(subscriber.has_ended for subscriber in subscribers):
            self._serve_remainder(position, subscribers)

    def _serve_remainder(self, position: Position, subscribers: list[Subscriber]) -> None:
        """Deliver what the log still has, in order, although earlier updates are no longer kept.

        These subscribers get no positions: they cannot detect the gap, and closing the connection would not recover
        it.
        """
        recovery = self._log.recover(subscribers[0].client_id, EVERYTHING, self._clock.now())
        for subscriber in subscribers:
            held = deque[SequencedUpdate]() if subscriber.held is None else subscriber.held
            if recovery.latest.epoch != position.epoch:
                while held and held[0].epoch == position.epoch:
                    self._delivery.deliver(subscriber, held.popleft())
            self._delivery.deliver_all(subscriber, recovery.updates)
            if held and not subscriber.has(held[0]):
                subscriber.delivered = Position(held[0].epoch, held[0].seq - 1)
