"""For how long, and after which pauses, a client reconnects."""

import time

from asf.backoff import Backoff

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
"""Pauses before reconnecting: each is twice as long as the one before."""


class RetryWindow:
    """Allows attempts for `seconds` after the first failure, with growing pauses. Progress closes the window."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lost_at: float | None = None
        self._backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, jitter=0)

    def renew(self) -> None:
        """Record progress: the next failure opens a new window."""
        self._lost_at = None
        self._backoff.reset()

    def next_pause(self) -> float | None:
        """Return how many seconds to wait before the next attempt; None if the window is over."""
        now = time.monotonic()
        if self._lost_at is None:
            self._lost_at = now
        if now >= self._lost_at + self._seconds:
            return None
        return self._backoff.next_pause()

    def pause(self) -> bool:
        """Wait until the next attempt is due and return True; return False at once if the window is over."""
        seconds = self.next_pause()
        if seconds is None:
            return False
        time.sleep(seconds)
        return True
