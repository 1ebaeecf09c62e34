"""Limits how many missed UI updates are replayed to one connection."""

import time
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from asf.adapters.rate_limit import RateLimit

REPLAYED_PER_SECOND = 2000.0
REPLAYED_AT_ONCE = 10_000
"""Rate limit of replayed updates: twenty times the default history of a client at once. Replays beyond it wait."""

COUNTED_BYTES = 1024
"""Larger updates count as one for each `COUNTED_BYTES` of their data that have begun, on average."""

SHORTEST_SECONDS = 0.001
"""Shorter delays do not count; floating point is not exact."""


class ReplayLimits:
    """Counts what is replayed to each connection: at most `at_once`, and `per_second` on average.

    A replay is not divided: it starts when the connection is within its limit, and may exceed it. Further ones wait.
    """

    def __init__(
        self,
        per_second: float = REPLAYED_PER_SECOND,
        at_once: int = REPLAYED_AT_ONCE,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second = per_second
        self._at_once = at_once
        self._now = now
        # By connection: a client that leaves the namespace and enters it again keeps its rate.
        self._rates: WeakKeyDictionary[Any, RateLimit] = WeakKeyDictionary()

    def count(self, connection: object, updates: int, size: int) -> None:
        """Count updates that are replayed to a connection; `size` is that of their data, in bytes."""
        rate = self._rates.get(connection)
        if rate is None:
            rate = self._rates[connection] = RateLimit(self._per_second, self._at_once)
        rate.add(self._now(), max(updates, size / COUNTED_BYTES))

    def delay(self, connection: object) -> float:
        """Return for how many seconds the next replay must wait."""
        rate = self._rates.get(connection)
        delay = 0.0 if rate is None else rate.wait(self._now())
        return delay if delay > SHORTEST_SECONDS else 0.0
