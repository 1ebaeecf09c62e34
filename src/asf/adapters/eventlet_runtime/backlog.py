"""Whether the event loop keeps up with what arrives, or clients wait for it."""

import math
import time
from collections.abc import Callable
from typing import Any

from asf.adapters.eventlet_runtime.turns import EVENTS_PER_ROUND, TURNS, Turns

BEHIND_SECONDS = 0.5
"""The loop is behind when for so long it has not got round to all that had arrived."""


class Backlog:
    """Notes when the event loop is behind. `turns` are those in which its tasks continue."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        # Monotonic seconds: when the loop had nothing left to do at last, and when it was known to be behind at last.
        self._caught_up_at = math.inf
        self._behind_at = -math.inf

    def around(self, do_poll: Callable[[float], Any]) -> Callable[[float], Any]:
        """Return a function that does what `do_poll` does, and notes whether it leaves anything."""
        monotonic = time.monotonic
        self._caught_up_at = monotonic()

        def noted(seconds: float) -> Any:
            started = monotonic()
            self._look(started)
            events = do_poll(seconds)
            now = monotonic()
            if now - started > seconds + BEHIND_SECONDS:  # The process was stopped. Then there may be no events yet.
                self._behind_at = now
            if len(events) < EVENTS_PER_ROUND and not self._turns.has_waiting:
                self._caught_up_at = now
            return events

        return noted

    def was_behind(self, seconds: float) -> bool:
        """Return whether the loop was behind within the last `seconds`."""
        now = time.monotonic()
        self._look(now)
        return now - self._behind_at <= seconds

    def end(self) -> None:
        """Note that the loop is no longer watched."""
        self._caught_up_at = math.inf

    def _look(self, now: float) -> None:
        if now - self._caught_up_at > BEHIND_SECONDS:
            self._behind_at = now


BACKLOG = Backlog(TURNS)
"""That of this process's event loop. One that is not watched is never behind."""
