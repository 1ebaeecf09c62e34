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
        self._slow_seconds = slow_seconds
        self._pause_seconds = slow_seconds if pause_seconds is None else pause_seconds
        # Since when each session is blocked, in seconds of the clock; the one blocked longest comes first.
        self._blocked_since: OrderedDict[ListenerSession, float] = OrderedDict()
        self._paused_since: OrderedDict[ListenerSession, float] = OrderedDict()

    def __len__(self) -> int:
        """Return how many sessions are blocked."""
        return len(self._blocked_since) + len(self._paused_since)

    @property
    def next_time(self) -> float | None:
        """When the next session is dropped, in seconds of the clock; None when none is blocked."""
        blocked = next(iter(self._blocked_since.values())) + self._slow_seconds if self._blocked_since else None
        if not self._paused_since:
            return blocked
        paused = next(iter(self._paused_since.values())) + self._pause_seconds
        return paused if blocked is None else min(blocked, paused)

    def add(self, session: ListenerSession, now: float) -> None:
        """Record that the session is blocked, since `now` or earlier."""
        self._list_of(session).setdefault(session, now)

    def remove(self, session: ListenerSession) -> None:
        """Record that the session is not blocked: bytes were taken, or it waits for something else."""
        self._list_of(session).pop(session, None)

    def fire(self, now: float) -> None:
        """Drop sessions that have been blocked for too long, at most `DROPS_PER_TURN`; the rest stays due."""
        for _ in range(DROPS_PER_TURN):
            if (deadline := self.next_time) is None or deadline > now:
                break
            paused = self._paused_since
            is_paused = paused and next(iter(paused.values())) + self._pause_seconds == deadline
            session, _ = (paused if is_paused else self._blocked_since).popitem(last=False)
            session.fail(ListenerTooSlow())

    def _list_of(self, session: ListenerSession) -> OrderedDict[ListenerSession, float]:
        return self._paused_since if session.request.may_pause else self._blocked_since
