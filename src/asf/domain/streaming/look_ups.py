"""Look-ups that may wait for another machine, in tasks of their own."""

from collections import Counter
from collections.abc import Callable
from functools import partial

Work = Callable[[], object]

Spawn = Callable[[Work], object]
"""Runs work in a task of its own, as soon as the caller waits."""

LOOK_UPS_AT_ONCE = 4
"""Maximum look-ups of one listener that run concurrently. All but the last one are for sessions that have ended."""


class LookUps:
    """Runs the look-ups of each listener, at most `LOOK_UPS_AT_ONCE` concurrently; of further ones, only the last.

    So a listener that joins again and again while a store does not answer has few requests there.
    """

    def __init__(self, spawn: Spawn) -> None:
        self._spawn = spawn
        self._running: Counter[str] = Counter()
        self._next: dict[str, Work] = {}

    def __len__(self) -> int:
        """Return how many run."""
        return self._running.total()

    def start(self, listener_id: str, work: Work) -> None:
        """Run `work` in a task: at once, or when an earlier one of the listener has ended and no later one came."""
        if self._running[listener_id] == LOOK_UPS_AT_ONCE:
            self._next[listener_id] = work
        else:
            self._running[listener_id] += 1
            self._spawn(partial(self._run, listener_id, work))

    def _run(self, listener_id: str, work: Work) -> None:
        try:
            work()
        finally:
            following = self._next.pop(listener_id, None)
            if following is not None:
                self._spawn(partial(self._run, listener_id, following))
            else:
                self._running[listener_id] -= 1
                if not self._running[listener_id]:
                    del self._running[listener_id]
