"""Maps Redis exceptions to client-safe messages and logs the original."""

import logging

import redis

from asf.adapters.log_throttle import LogThrottle

LOG_SECONDS = 10.0
"""Redis failures are logged once in this many seconds at most: there may be thousands of them a second."""

logger = logging.getLogger(__name__)

_throttle = LogThrottle(LOG_SECONDS)


def details_of(error: Exception) -> str:
    """Return a sentence for clients: no addresses, users or scripts. The original is logged, throttled."""
    if _throttle.permits():
        logger.warning("Redis: %s: %s", type(error).__name__, error)
    match error:
        case redis.TimeoutError() | TimeoutError():
            return "Redis takes too long."
        case redis.AuthenticationError() | redis.exceptions.NoPermissionError():
            return "Redis does not permit it."
        case redis.ConnectionError() | OSError():
            return "Redis cannot be reached."
        case redis.exceptions.OutOfMemoryError():
            return "Redis has no more memory."
        case _:
            return "Redis refuses."
