"""Turns: long work, and work that thousands of tasks have at once, lets other tasks run every few milliseconds."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from eventlet import getcurrent, hubs

from asf.adapters.eventlet_runtime.precedence import Precedence

TURN_SECONDS = 0.004
"""How long the tasks that call `checkpoint` run, together, in one round of the event loop.

Long enough that yielding costs well below one percent, short enough that several such turns go unnoticed.
"""

EVENTS_PER_ROUND = 64
"""Maximum sockets whose tasks run in one round of the event loop. The others are ready in the next one."""


class Turns:
    """Yields for tasks that work for long, or at the same time.

    Once a turn has lasted `TURN_SECONDS`, each task that calls `checkpoint` yields. In the next round of the event
    loop they continue, in the order in which they yielded, as many as another turn permits. So others wait for one
    turn, however many tasks have much to do.
    """

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._waiting: WeakKeyDictionary[Any, deque[Any]] = WeakKeyDictionary()

    @property
    def has_waiting(self) -> bool:
        """Whether tasks wait for their turn."""
        return bool(self._waiting)

    def checkpoint(self) -> None:
        """Let the other tasks run if the current turn has lasted `TURN_SECONDS`.

        Does nothing in a callback of the event loop, which cannot yield.
        """
        if time.monotonic() - self._since < TURN_SECONDS:
            return
        hub = hubs.get_hub()
        if getcurrent() is not hub.greenlet:
            self._yield(hub)

    def _yield(self, hub: Any) -> None:
        waiting = self._waiting.get(hub)
        if waiting is None:
            waiting = self._waiting[hub] = deque()
            hub.schedule_call_global(0, self._resume, hub)
        task = getcurrent()
        waiting.append(task)
        try:
            hub.switch()
        except BaseException:  # a timeout, or the end of the task: `_resume` must not switch to it
            if task in waiting:
                waiting.remove(task)
            raise

    def _resume(self, hub: Any) -> None:
        """Start a turn with the tasks that wait for it."""
        waiting = self._waiting[hub]
        self._since = time.monotonic()
        try:
            # Those that yield again are in this queue, too, behind the others.
            while waiting and time.monotonic() - self._since < TURN_SECONDS:
                waiting.popleft().switch()
        finally:
            if waiting:
                hub.schedule_call_global(0, self._resume, hub)
            else:
                del self._waiting[hub]


TURNS = Turns()
"""The turns of this process's event loop."""

FAREWELLS = Turns()
"""The turns of connections that end: thousands may do so at once, and none of the others waits behind them."""


def bounded_poll(hub: Any, precedence: Precedence) -> Callable[[float], Any]:
    """Return what a hub is to wait for events with: at most `EVENTS_PER_ROUND` at a time, where that can be said.

    By default it is a thousand, all of which run before anything else: when thousands of clients disconnect at once,
    for example. So many of the sockets of `precedence` that are ready then come on top.
    """
    poll: Any = getattr(hub, "poll", None)
    if type(poll).__name__ != "epoll":
        do_poll: Callable[[float], Any] = hub.do_poll
        return do_poll

    def bounded(seconds: float) -> Any:
        events = poll.poll(seconds, EVENTS_PER_ROUND)
        return events if len(events) < EVENTS_PER_ROUND else events + precedence.ready(EVENTS_PER_ROUND)

    return bounded
