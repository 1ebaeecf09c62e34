"""Turns: long work lets the other tasks of the event loop run every few milliseconds."""

import time
from collections import deque
from typing import Any
from weakref import WeakKeyDictionary

from eventlet import getcurrent, hubs

TURN_SECONDS = 0.004
"""How long the tasks that call `checkpoint` run, together, before one of them yields.

Long enough that yielding costs well below one percent, short enough that several such turns go unnoticed.
"""


class Turns:
    """Yields for tasks that work for long.

    In one round of the event loop only one of the tasks that have yielded continues, in the order in which they
    yielded. So the others wait for one turn, however many tasks have much to do.
    """

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._waiting: WeakKeyDictionary[Any, deque[Any]] = WeakKeyDictionary()

    def checkpoint(self) -> None:
        """Let the other tasks run if the current turn has lasted `TURN_SECONDS`.

        Does nothing in a callback of the event loop, which cannot yield.
        """
        now = time.monotonic()
        if now - self._since < TURN_SECONDS:
            return
        hub = hubs.get_hub()
        if getcurrent() is hub.greenlet:
            return
        self._since = now
        self._yield(hub)
        self._since = time.monotonic()

    def _yield(self, hub: Any) -> None:
        waiting = self._waiting.setdefault(hub, deque())
        task = getcurrent()
        waiting.append(task)
        if len(waiting) == 1:
            hub.schedule_call_global(0, self._resume_next, hub)
        try:
            hub.switch()
        except BaseException:  # a timeout, or the end of the task: `_resume_next` must not switch to it
            if task in waiting:
                waiting.remove(task)
            raise

    def _resume_next(self, hub: Any) -> None:
        waiting = self._waiting[hub]
        if not waiting:
            return
        task = waiting.popleft()
        if waiting:
            hub.schedule_call_global(0, self._resume_next, hub)
        task.switch()


TURNS = Turns()
"""The turns of this process's event loop."""
