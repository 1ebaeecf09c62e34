"""The longest turn of the event loop in the last minutes."""

from collections import deque
from collections.abc import Callable

from asf.domain.clock import Clock

WINDOW_SECONDS = 300.0
"""For how long a turn counts as recent."""


class SlowTurns:
    """Remembers the recent turns of the event loop that were long, as far as they are the longest ones.

    Passes each of them on to `observe`.
    """

    def __init__(self, clock: Clock, observe: Callable[[float], object]) -> None:
        self._clock = clock
        self._observe = observe
        # When each turn was noted, and its seconds: a later one is shorter than those before it.
        self._longest: deque[tuple[float, float]] = deque()

    def note(self, seconds: float) -> None:
        """Record a turn that has ended."""
        while self._longest and self._longest[-1][1] <= seconds:
            self._longest.pop()
        self._longest.append((self._clock.now(), seconds))
        self._observe(seconds)

    def longest_seconds(self) -> float | None:
        """Return the seconds of the longest one within `WINDOW_SECONDS`; None if there was none."""
        oldest = self._clock.now() - WINDOW_SECONDS
        while self._longest and self._longest[0][0] < oldest:
            self._longest.popleft()
        return self._longest[0][1] if self._longest else None
