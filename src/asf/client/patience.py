"""How long a client goes on after it has lost its connection."""

import time

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
"""How long to wait before connecting again: twice as long each time."""


class Patience:
    """Allows new attempts for `seconds` from the first failure on, with growing pauses; progress begins it anew."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lost_at: float | None = None
        self._pause = FIRST_PAUSE_SECONDS

    def renew(self) -> None:
        """Take note of progress."""
        self._lost_at = None
        self._pause = FIRST_PAUSE_SECONDS

    def pause(self) -> bool:
        """Wait until the next attempt should be made. Returns False, at once, when there should be none."""
        now = time.monotonic()
        if self._lost_at is None:
            self._lost_at = now
        if now >= self._lost_at + self._seconds:
            return False
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        return True
