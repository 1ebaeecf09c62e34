"""Listeners that take nothing, and for how long that is borne."""

from collections import OrderedDict

from asf.domain.errors import ListenerTooSlow
from asf.domain.streaming.session import ListenerSession


class SlowListeners:
    """Sessions whose listener takes nothing now: a `Timer` of the pump.

    After `slow_seconds` without a byte a listener loses its place.
    """

    def __init__(self, slow_seconds: float) -> None:
        self._slow_seconds = slow_seconds
        # The one blocked longest first.
        self._blocked: OrderedDict[ListenerSession, None] = OrderedDict()

    def __len__(self) -> int:
        """Return how many listeners take nothing now."""
        return len(self._blocked)

    @property
    def next_time(self) -> float | None:
        """When the next listener loses its place, in seconds of the clock; None when none is blocked."""
        return next(iter(self._blocked)).blocked_since + self._slow_seconds if self._blocked else None

    def add(self, session: ListenerSession, now: float) -> None:
        """Take note that the listener takes nothing, since `now` or before."""
        if session not in self._blocked:
            session.blocked_since = now
            self._blocked[session] = None

    def remove(self, session: ListenerSession) -> None:
        """Take note that the listener has taken something, or that nothing is offered to it any more."""
        self._blocked.pop(session, None)

    def fire(self, now: float) -> None:
        """Drop the listeners that have taken nothing for too long."""
        while (deadline := self.next_time) is not None and deadline <= now:
            next(iter(self._blocked)).fail(ListenerTooSlow())
