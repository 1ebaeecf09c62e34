"""Pauses between attempts, for the server's adapters and the client alike."""

import random


class Backoff:
    """Pauses that double from `first` seconds to `longest`; `reset` starts with the first one again.

    `jitter` is the share of each pause, 0 to 1, that chance may take off, so that those that failed together do not
    return together.
    """

    def __init__(self, first: float, longest: float, jitter: float = 0.5) -> None:
        self._first = first
        self._longest = longest
        self._jitter = jitter
        self.pause = first

    def next_pause(self) -> float:
        """Return how many seconds to wait now: `pause` at most. The next one is twice as long."""
        pause, self.pause = self.pause, min(2 * self.pause, self._longest)
        return pause * random.uniform(1 - self._jitter, 1)  # noqa: S311 - no secret depends on it

    def reset(self) -> None:
        """Take note of a success."""
        self.pause = self._first
