"""Limits how often a repeated problem is logged: otherwise a client or a failure could fill the disk."""

import time
from collections.abc import Callable


class LogThrottle:
    """Permits one log line per `seconds` of `clock`. The lines in between are dropped."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._logged_at = float("-inf")

    def permits(self) -> bool:
        """Return whether to log now, and count that as a line."""
        now = self._clock()
        if now - self._logged_at < self._seconds:
            return False
        self._logged_at = now
        return True
