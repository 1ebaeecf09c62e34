"""Limits how often a listener seeks: each seek in remote audio may fetch what is discarded at the next one."""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from asf.domain.access.expiry import Expiries

SEEKS_PER_SECOND = 5.0
SEEKS_AT_ONCE = 20
"""Rate limit of seeks of one listener. Those beyond it are delayed, and replaced by later ones."""

INTERVAL_SECONDS = 1 / SEEKS_PER_SECOND
TOLERANCE_SECONDS = (SEEKS_AT_ONCE - 1) * INTERVAL_SECONDS + 1e-6
"""How early a seek may be, in seconds; floating point is not exact."""


class SeekLimit:
    """Makes seeks at once, or as soon as their rate permits: a `Timer` of the pump.

    Only the last one that is delayed is made. A listener that joins again keeps its rate.
    """

    def __init__(self) -> None:
        # By listener: when its next seek would be due if seeks were evenly spaced, in seconds of the clock. Listeners
        # that are within the rate again are dropped from the front.
        self._next_times: OrderedDict[str, float] = OrderedDict()
        self._delayed = Expiries()

    def __len__(self) -> int:
        """Return how many listeners have made seeks so recently that it counts."""
        return len(self._next_times)

    @property
    def next_time(self) -> float | None:
        """When the next delayed seek is due, in seconds of the clock; None when none is delayed."""
        return self._delayed.next_time

    def make(self, listener_id: str, now: float, seek: Callable[[], object]) -> None:
        """Call `seek` now, or from `fire` later unless another one of the listener comes first."""
        due = self._next_times.get(listener_id, now) - TOLERANCE_SECONDS
        if due > now:
            self._delayed.put(listener_id, due, partial(self._make, listener_id, due, seek))
        else:
            self._delayed.remove(listener_id)
            self._make(listener_id, now, seek)

    def forget(self, listener_id: str) -> None:
        """Drop the listener's delayed seek, if there is one: the session has ended."""
        self._delayed.remove(listener_id)

    def fire(self, now: float) -> None:
        """Make the delayed seeks that are due by `now`."""
        self._delayed.fire(now)

    def _make(self, listener_id: str, now: float, seek: Callable[[], object]) -> None:
        next_times = self._next_times
        next_times[listener_id] = max(now, next_times.get(listener_id, now)) + INTERVAL_SECONDS
        next_times.move_to_end(listener_id)
        while next_times[first := next(iter(next_times))] <= now:
            del next_times[first]
        seek()
