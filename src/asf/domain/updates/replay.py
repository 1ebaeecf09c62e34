"""How subscribers get what they lack."""

from collections import deque
from contextlib import suppress

from asf.domain.clock import Clock
from asf.domain.errors import UiEmitFailed
from asf.domain.updates.delivery import Delivery
from asf.domain.updates.ports import UpdateLog
from asf.domain.updates.subscriber import Subscriber
from asf.domain.updates.update import EVERYTHING, Position

MAX_RECOVERIES = 5
"""How often in a row it is looked what a connection lacks, before it is given up."""


class Replay:
    """Hands subscribers that hold back updates what goes before these, from the log, and then these.

    Others run while the log is asked: more may have to be held back, and subscriptions may end.
    """

    def __init__(self, delivery: Delivery, log: UpdateLog, clock: Clock) -> None:
        self._delivery = delivery
        self._log = log
        self._clock = clock

    def serve_or_give_up(self, subscribers: list[Subscriber]) -> None:
        """Do as `serve`. Where the log cannot be asked, whoever lacks something is broken off, and comes back."""
        with suppress(UiEmitFailed):
            self.serve(subscribers)

    def serve(self, subscribers: list[Subscriber]) -> None:
        """Hand subscribers to one client all that they lack.

        A connection that cannot have it is broken off, so that its client comes back and hears what it missed.
        Raises `UiEmitFailed` when the log cannot be asked.
        """
        try:
            for _ in range(MAX_RECOVERIES):
                by_place: dict[Position, list[Subscriber]] = {}
                for subscriber in subscribers:
                    by_place.setdefault(subscriber.delivered, []).append(subscriber)
                for place, some in by_place.items():
                    self._serve_from(place, some)
                subscribers = [one for one in subscribers if not self._delivery.hand_over_held(one)]
                if not subscribers:
                    return
        finally:
            for subscriber in subscribers:
                if not self._delivery.hand_over_held(subscriber):
                    self._delivery.give_up(subscriber)

    def _serve_from(self, place: Position, subscribers: list[Subscriber]) -> None:
        """Hand subscribers that are at the same place what the log has behind it."""
        client_id = subscribers[0].client_id
        recovery = self._log.recover(client_id, place, self._clock.now())
        if recovery.recovered:
            for subscriber in subscribers:
                for update in recovery.updates:
                    self._delivery.hand_over(subscriber, update)
            return
        for subscriber in subscribers:
            if subscriber.with_position:
                self._delivery.give_up(subscriber)
        if not all(subscriber.has_ended for subscriber in subscribers):
            self._serve_what_there_is(place, subscribers)

    def _serve_what_there_is(self, place: Position, subscribers: list[Subscriber]) -> None:
        """Hand subscribers what the log still has, in its order, although some that went before is lost.

        They know no places, so they would not learn that anything is missing.
        """
        recovery = self._log.recover(subscribers[0].client_id, EVERYTHING, self._clock.now())
        for subscriber in subscribers:
            held = subscriber.held or deque()
            if recovery.latest.epoch != place.epoch:
                while held and held[0].epoch == place.epoch:
                    self._delivery.hand_over(subscriber, held.popleft())
            for update in recovery.updates:
                self._delivery.hand_over(subscriber, update)
            if held and not subscriber.has(held[0]):
                subscriber.delivered = Position(held[0].epoch, held[0].seq - 1)
