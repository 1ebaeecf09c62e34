"""What is told when Redis fails: to anybody, nothing of the inside; to operators, by the log, what it was."""

import logging
import time

import redis

COMPLAINT_SECONDS = 10.0
"""How often it is logged, at the most."""

logger = logging.getLogger(__name__)


class _Complaint:
    """When it was logged last."""

    said_at = float("-inf")


def details_of(error: Exception) -> str:
    """Return what may be told to anybody about a failure of Redis, as a sentence. The log has the rest."""
    now = time.monotonic()
    if now - _Complaint.said_at >= COMPLAINT_SECONDS:
        _Complaint.said_at = now
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
