"""Maps Redis exceptions to client-safe messages and logs the original."""

import logging

import redis

from asf.adapters.log_throttle import LogThrottle
from asf.adapters.redis_store.wrong_server import cause_of

LOG_SECONDS = 10.0
"""Shortest interval between two log lines about Redis failures: there may be thousands of failures per second."""

logger = logging.getLogger(__name__)

_throttle = LogThrottle(LOG_SECONDS)


def details_of(error: Exception) -> str:
    """Return a sentence for clients: no addresses, users or scripts. The original is logged, throttled."""
    if _throttle.permits():
        logger.warning("Redis: %s: %s", type(error).__name__, error)
    if cause := cause_of(error):
        return cause
    match error:
        case redis.TimeoutError() | TimeoutError():
            return "Redis timed out."
        case redis.AuthenticationError() | redis.exceptions.NoPermissionError():
            return "Redis denied permission."
        case redis.ConnectionError() | OSError():
            return "Redis is unreachable."
        case redis.exceptions.OutOfMemoryError():
            return "Redis is out of memory."
        case _:
            return "Redis rejected the command."
