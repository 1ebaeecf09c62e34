"""Limits how often one connection may join a stream, or subscribe to UI updates.

The maximum number of concurrent sessions is `ASF_MAX_LISTENERS`, which `StreamingService.join` checks.
"""

import time
from typing import Any
from weakref import WeakKeyDictionary

from asf.adapters.rate_limit import RateLimit
from asf.domain.errors import RateLimited
from asf.domain.updates.limits import MAX_SUBSCRIPTIONS

JOINS_PER_SECOND = 5.0
JOINS_AT_ONCE = 20
"""Rate limit of joins of one connection. Those beyond it are rejected."""

SUBSCRIPTIONS_PER_SECOND = 20.0
SUBSCRIPTIONS_AT_ONCE = 2 * MAX_SUBSCRIPTIONS
"""Rate limit of subscriptions of one connection: a page that reconnects renews all its subscriptions."""


class JoinLimits:
    """Counts the joins of each connection: at most `at_once`, and `per_second` on average."""

    def __init__(self, per_second: float, at_once: int) -> None:
        self._per_second = per_second
        self._at_once = at_once
        # By connection: a client that leaves the namespace and enters it again keeps its rate.
        self._rates: WeakKeyDictionary[Any, RateLimit] = WeakKeyDictionary()

    def count(self, connection: object) -> None:
        """Count a join of a connection. Raises `RateLimited`."""
        rate = self._rates.get(connection)
        if rate is None:
            rate = self._rates[connection] = RateLimit(self._per_second, self._at_once)
        if not rate.take(time.monotonic()):
            raise RateLimited(f"At most {self._per_second:g} per second on average.")
