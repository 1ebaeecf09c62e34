"""When each session is served next: due times on a common grid, and a fair queue of those that are due."""

from collections import OrderedDict
from heapq import heappop, heappush

from asf.domain.streaming.session import ListenerSession

TICK_SECONDS = 0.05
"""Interval of the grid to which due times are rounded down, in seconds. Sessions on the same tick share a wake-up."""

STARTED_FOR_ONE_NEW = 7
"""So many sessions that have sent audio come before the next one that has not, while both are due: an announcement
for which thousands wait must not silence those that listen."""

WAKE_UP_TOLERANCE = 0.001
"""How early, in ticks, a wake-up may be and still count: timers and floating point are not exact."""


class Schedule:
    """A calendar of ticks in front of two first-in-first-out queues. A session is in at most one of them, once.

    One queue has the sessions that have sent audio, the other those that have not: see `STARTED_FOR_ONE_NEW`.

    Every operation takes constant time, except for a heap operation on the few distinct ticks.
    """

    def __init__(self) -> None:
        self._due: OrderedDict[ListenerSession, None] = OrderedDict()
        self._new: OrderedDict[ListenerSession, None] = OrderedDict()
        self._started_in_a_row = 0
        self._calendar: dict[int, list[ListenerSession]] = {}
        self._ticks: list[int] = []
        self._tick = 0
        # The tick on which each session was last put, which may have passed. Its entries on other ticks are outdated.
        self._tick_of: dict[ListenerSession, int] = {}

    def advance(self, now: float) -> float:
        """Move sessions whose tick has come to the queue of due sessions.

        Returns the end of the current tick, in seconds of the clock: what is due before that counts as due now.
        """
        self._tick = int(now / TICK_SECONDS + WAKE_UP_TOLERANCE)
        ticks, tick_of, due, new = self._ticks, self._tick_of, self._due, self._new
        while ticks and ticks[0] <= self._tick:
            tick = heappop(ticks)
            for session in self._calendar.pop(tick):
                if tick_of.get(session) == tick:  # So it is in neither queue.
                    (due if session.sent_bytes else new)[session] = None
        return (self._tick + 1) * TICK_SECONDS

    @property
    def has_due(self) -> bool:
        """Whether any session is due."""
        return bool(self._due or self._new)

    @property
    def next_time(self) -> float | None:
        """When the next tick with sessions starts, in seconds of the clock; None when there is none."""
        return self._ticks[0] * TICK_SECONDS if self._ticks else None

    def pop(self) -> ListenerSession | None:
        """Remove and return the session whose turn it is, or None when none is due."""
        if self._due and (not self._new or self._started_in_a_row < STARTED_FOR_ONE_NEW):
            self._started_in_a_row += 1
            return self._due.popitem(last=False)[0]
        self._started_in_a_row = 0
        return self._new.popitem(last=False)[0] if self._new else None

    def put_due(self, session: ListenerSession) -> None:
        """Queue a session behind those that are already due, unless it is queued itself."""
        self._tick_of.pop(session, None)
        if session.sent_bytes and session not in self._new:
            self._due[session] = None
        elif session not in self._due:
            self._new[session] = None

    def put_at(self, session: ListenerSession, time: float) -> None:
        """Put a session that is not due on the tick that contains `time`, the next tick at the earliest.

        `time` is in seconds of the clock.
        """
        tick = max(int(time / TICK_SECONDS), self._tick + 1)
        self._tick_of[session] = tick
        sessions = self._calendar.get(tick)
        if sessions is None:
            self._calendar[tick] = [session]
            heappush(self._ticks, tick)
        else:
            sessions.append(session)

    def remove(self, session: ListenerSession) -> None:
        """Remove a session. Its outdated entries in the calendar are cleared when their ticks come."""
        self._tick_of.pop(session, None)
        self._due.pop(session, None)
        self._new.pop(session, None)
