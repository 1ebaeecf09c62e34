"""Drives the pump: calls its turns when they are due."""

import logging

import eventlet
from eventlet.event import Event

from asf.adapters.log_throttle import LogThrottle
from asf.adapters.serving import Pump
from asf.backoff import Backoff

LONGEST_SLEEP_SECONDS = 3600.0
"""Longest sleep between two turns. What is due may be further ahead than epoll_wait(2) can wait."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0
"""Pauses after turns that fail one after the other. They cannot be cut short: listeners come and go all the time."""

ERROR_LOG_SECONDS = 10.0
"""Shortest time between two log lines about turns that failed."""

logger = logging.getLogger(__name__)


def drive(pump: Pump) -> None:
    """Call the pump's turns forever, and sleep while it has nothing to do."""
    alarm = _Alarm()
    pump.on_due.connect(alarm.ring)
    backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, jitter=0)
    throttle = LogThrottle(ERROR_LOG_SECONDS)
    while True:
        try:
            delay = pump.turn()
        except Exception:
            if throttle.permits():
                logger.exception("A turn of the pump failed")
            eventlet.sleep(backoff.next_pause())
            continue
        backoff.reset()
        if delay == 0.0:
            eventlet.sleep(0)
        else:
            alarm.sleep(None if delay is None else min(delay, LONGEST_SLEEP_SECONDS))


class _Alarm:
    """A sleep that can be cut short."""

    def __init__(self) -> None:
        self._event = Event()

    def sleep(self, seconds: float | None) -> None:
        """Sleep for `seconds` (None: without limit), or until `ring`."""
        with eventlet.Timeout(seconds, exception=False):
            self._event.wait()
        self._event = Event()

    def ring(self) -> None:
        """End the sleep, the current one or the next."""
        if not self._event.ready():
            self._event.send()
