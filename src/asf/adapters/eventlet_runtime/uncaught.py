"""Logs the exceptions that reach the event loop, which would print them to standard error, each in many lines."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from eventlet import hubs

from asf.adapters.log_throttle import LogThrottle

LOG_INTERVAL_SECONDS = 1.0
"""Shortest time between two log lines: what a client sends may cause an exception each time."""

logger = logging.getLogger(__name__)


@contextmanager
def logged_exceptions() -> Iterator[None]:
    """Log the exceptions of the calling thread's event loop: of green threads, timers and descriptors."""
    hub: Any = hubs.get_hub()
    throttle = LogThrottle(LOG_INTERVAL_SECONDS)

    def log(exc_info: Any) -> None:
        if throttle.permits():
            logger.error("A task failed", exc_info=exc_info)

    def log_of_descriptor(fileno: int, exc_info: Any) -> None:
        log(exc_info)
        with suppress(Exception):
            hub.remove_descriptor(fileno)

    hub.squelch_generic_exception = log
    hub.squelch_timer_exception = lambda _timer, exc_info: log(exc_info)
    hub.squelch_exception = log_of_descriptor
    try:
        yield
    finally:
        del hub.squelch_generic_exception, hub.squelch_timer_exception, hub.squelch_exception
