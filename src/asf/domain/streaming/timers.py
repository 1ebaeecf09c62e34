"""The pump's timers, each contained: one that fails holds up no other, nor the sessions that are due."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from asf.domain.streaming.ports import Timer

RETRY_SECONDS = 1.0
"""Pause before a timer that has failed fires again: what fails may do so for as long as a disk does."""

LOG_SECONDS = 10.0
"""Shortest time between two log lines about a timer that fails each time."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Failure:
    """A timer that has failed at each call since `since`; all times in seconds of the clock."""

    since: float
    retry_at: float
    logged_at: float

    def repeat(self, now: float) -> bool:
        """Record one more failure, and return whether to log it."""
        self.retry_at = now + RETRY_SECONDS
        if now - self.logged_at < LOG_SECONDS:
            return False
        self.logged_at = now
        return True


class Timers:
    """Fires timers when they are due. An exception of a timer is logged, and the timer retried after a pause."""

    def __init__(self, timers: Iterable[Timer]) -> None:
        self._timers = tuple(timers)
        self._failing: dict[Timer, _Failure] = {}

    @property
    def next_time(self) -> float | None:
        """When the next timer fires, in seconds of the clock; None while there is nothing to do."""
        earliest = None
        for timer in self._timers:
            time = timer.next_time
            if time is None:
                continue
            if timer in self._failing:
                time = max(time, self._failing[timer].retry_at)
            if earliest is None or time < earliest:
                earliest = time
        return earliest

    @property
    def failing_since(self) -> float | None:
        """Since when the timer that has failed longest fails, in seconds of the clock; None while none fails."""
        return min((failure.since for failure in self._failing.values()), default=None)

    def fire(self, now: float) -> None:
        """Fire the timers that are due by `now`. Raises nothing."""
        for timer in self._timers:
            time = timer.next_time
            if time is not None and time <= now and (timer not in self._failing or self._may_retry(timer, now)):
                self._fire(timer, now)

    def _may_retry(self, timer: Timer, now: float) -> bool:
        return self._failing[timer].retry_at <= now

    def _fire(self, timer: Timer, now: float) -> None:
        try:
            timer.fire(now)
        except Exception:
            failure = self._failing.setdefault(timer, _Failure(now, now, now - LOG_SECONDS))
            if failure.repeat(now):
                logger.exception("The timer %s failed", type(timer).__name__)
        else:
            self._failing.pop(timer, None)
