"""Timeouts of tasks that wait for long, without a timer for each wait."""

import time
from collections.abc import Callable
from typing import Any

from eventlet import getcurrent, hubs

LOOK_SECONDS = 1.0
"""Interval at which waits that have lasted too long are ended: a wait may last so much longer."""

LONG_SECONDS = 10.0
"""A wait of at least this time is long."""


class LongWaits:
    """The tasks of one event loop that wait, and until when.

    A timer of the event loop costs more than a short wait, and memory until it would have fired. Here one timer looks
    after all waits, and runs only while there are any.
    """

    def __init__(self) -> None:
        # By how long they may last: of equal ones, those that began first end first.
        self._due: dict[float, dict[Any, float]] = {}
        self._hub: Any = None

    def during(self, seconds: float, wait: Callable[[int], bytes], argument: int) -> bytes:
        """Return what `wait` returns. Raises TimeoutError if that lets the task wait for longer than `seconds`."""
        task = getcurrent()
        due = self._due.get(seconds)
        if due is None:
            due = self._due[seconds] = {}
        due[task] = time.monotonic() + seconds
        if self._hub is None or self._hub is not hubs.get_hub():
            self._hub = hubs.get_hub()
            self._hub.schedule_call_global(LOOK_SECONDS, self._look)
        try:
            return wait(argument)
        finally:
            due.pop(task, None)

    def _look(self) -> None:
        now = time.monotonic()
        for due in list(self._due.values()):
            while due and (first := next(iter(due.items())))[1] <= now:
                del due[first[0]]
                first[0].throw(TimeoutError("timed out"))
        self._due = {seconds: due for seconds, due in self._due.items() if due}
        if self._due:
            self._hub.schedule_call_global(LOOK_SECONDS, self._look)
        else:
            self._hub = None


LONG_WAITS = LongWaits()
"""The long waits of this process's event loop."""
