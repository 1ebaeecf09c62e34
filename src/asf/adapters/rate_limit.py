"""A rate limit.

Used by `realtime_api` for joins, subscriptions and replays, `websocket.connection` for messages, and
`eventlet_runtime.http_protocol` for requests.
"""


class RateLimit:
    """Allows `burst` events at once, and `per_second` on average.

    The generic cell rate algorithm (ITU-T I.371) with a virtual schedule: the state is one number, `scheduled`.
    """

    __slots__ = ("_interval", "_next", "_tolerance")

    def __init__(self, per_second: float, burst: int, scheduled: float = 0.0) -> None:
        self._interval = 1 / per_second
        self._tolerance = (burst - 1) * self._interval
        self._next = scheduled

    @property
    def scheduled(self) -> float:
        """When the next event would be due if events were evenly spaced, in seconds of the clock."""
        return self._next

    def take(self, now: float) -> bool:
        """Count an event at `now` (seconds of a monotonic clock) and return True; False if it exceeds the limit."""
        if self._next - now > self._tolerance:
            return False
        self._next = max(self._next, now) + self._interval
        return True

    def add(self, now: float, count: float) -> None:
        """Count so many events at `now`, whether or not they exceed the limit."""
        self._next = max(self._next, now) + count * self._interval

    def wait(self, now: float) -> float:
        """Return after how many seconds another event would be within the limit."""
        return max(0.0, self._next - now - self._tolerance)

    def delay(self, now: float) -> float:
        """Count an event at `now`, and return for how many seconds it must be delayed to be within the limit."""
        delay = self._next - now - self._tolerance
        self._next = max(self._next, now) + self._interval
        return max(0.0, delay)
