"""Slow listeners: drops sessions that have been blocked by back-pressure for too long."""

from collections import OrderedDict

from asf.domain.errors import ListenerTooSlow
from asf.domain.streaming.session import ListenerSession

DROPS_PER_TURN = 32
"""Maximum sessions that are dropped in one turn of the pump, before the other tasks of the process run."""


class SlowListeners:
    """Sessions that are blocked by back-pressure: a `Timer` of the pump.

    A session that has been blocked for `slow_seconds`, without a byte taken, is dropped; one that may pause, after
    `pause_seconds` (the same unless given).
    """

    def __init__(self, slow_seconds: float, pause_seconds: float | None = None) -> None:
        self._limits = (slow_seconds, slow_seconds if pause_seconds is None else pause_seconds)
        # Since when each session is blocked, in seconds of the clock; the one blocked longest comes first. The second
        # one has those that may pause.
        self._blocked_since: tuple[OrderedDict[ListenerSession, float], ...] = (OrderedDict(), OrderedDict())

    def __len__(self) -> int:
        """Return how many sessions are blocked."""
        return sum(map(len, self._blocked_since))

    @property
    def next_time(self) -> float | None:
        """When the next session is dropped, in seconds of the clock; None when none is blocked."""
        first, paused = map(self._next_time, (False, True))
        if first is None or paused is None:
            return paused if first is None else first
        return min(first, paused)

    def add(self, session: ListenerSession, now: float) -> None:
        """Record that the session is blocked, since `now` or earlier."""
        self._blocked_since[session.request.may_pause].setdefault(session, now)

    def remove(self, session: ListenerSession) -> None:
        """Record that the session is not blocked: bytes were taken, or it waits for something else."""
        self._blocked_since[session.request.may_pause].pop(session, None)

    def fire(self, now: float) -> None:
        """Drop sessions that have been blocked for too long, at most `DROPS_PER_TURN`; the rest stays due."""
        for _ in range(DROPS_PER_TURN):
            if (deadline := self.next_time) is None or deadline > now:
                break
            is_paused = self._next_time(may_pause=False) != deadline
            session, _ = self._blocked_since[is_paused].popitem(last=False)
            session.fail(ListenerTooSlow())

    def _next_time(self, may_pause: bool) -> float | None:  # noqa: FBT001 - an index
        blocked = self._blocked_since[may_pause]
        return next(iter(blocked.values())) + self._limits[may_pause] if blocked else None
