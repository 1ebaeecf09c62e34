"""Back-pressure: a publisher of many updates waits for the subscribers that read them."""

from collections.abc import Callable

from asf.domain.clock import Clock
from asf.domain.updates.delivery import Delivery
from asf.domain.updates.subscriber import Pressure, Subscriber
from asf.domain.updates.subscriptions import Subscriptions

READ_FRACTION = 0.25
"""Fraction of the limits at which enough has been read: half of `FILLING_UPDATES` and `FILLING_BYTES`."""

SILENT_SECONDS = 1.0
"""After this time in which it has read nothing, nobody waits for a client any longer."""

LOOK_SECONDS = 0.01
"""Interval between looks at what waits."""


class Readers:
    """Waits for the clients of subscribers to read, by calling `pause` with a number of seconds.

    Without it a subscriber that reads all the time would exceed its limits, merely because updates are published
    faster than its connection carries them.
    """

    def __init__(
        self, subscribers: Subscriptions, delivery: Delivery, clock: Clock, pause: Callable[[float], object]
    ) -> None:
        self._subscribers = subscribers
        self._delivery = delivery
        self._clock = clock
        self._pause = pause

    def wait(self, client_id: str, longest: float) -> float:
        """Wait until those of the client's subscribers for which much waits have read some of it.

        Waits at most `longest` seconds in total, and not for those that read nothing. Returns the seconds it took.
        """
        filling = [one for one in self._subscribers.of_client(client_id) if one.pressure is Pressure.FILLING]
        if not filling:
            return 0.0
        started = now = self._clock.now()
        progress = {one: _Progress(now) for one in filling}
        while filling:
            filling = [one for one in filling if self._must_wait_for(one, progress[one], now)]
            if filling and now - started >= longest:
                for one in filling:
                    one.pressure = Pressure.GIVEN_UP
                break
            if filling:
                self._pause(LOOK_SECONDS)
            now = self._clock.now()
        return now - started

    def _must_wait_for(self, subscriber: Subscriber, progress: "_Progress", now: float) -> bool:
        waiting = self._delivery.waiting(subscriber)
        if subscriber.has_ended or waiting <= READ_FRACTION:
            subscriber.pressure = Pressure.NONE
        elif progress.silence(waiting, now) >= SILENT_SECONDS:
            subscriber.pressure = Pressure.GIVEN_UP
        return subscriber.pressure is Pressure.FILLING


class _Progress:
    """How much of what waits a client has read, and when it read last."""

    __slots__ = ("_since", "_waiting")

    def __init__(self, now: float) -> None:
        self._since = now
        self._waiting = float("inf")

    def silence(self, waiting: float, now: float) -> float:
        """Return for how many seconds it has read nothing, when so much waits now."""
        if waiting < self._waiting:
            self._since = now
        self._waiting = waiting
        return now - self._since
