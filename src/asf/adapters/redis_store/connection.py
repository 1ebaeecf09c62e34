"""The client for the Redis that several servers share, with short timeouts.

Every command yields until its answer arrives, as the standard library is patched.
"""

import time
from collections.abc import Mapping
from queue import Empty, LifoQueue
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

POOL_SECONDS = 0.2
"""How long a command waits for a connection while all are in use and Redis answers on none of them."""

LOOKS = 4
"""In how many parts that is waited. Between them answers are seen that arrived while this process was busy."""

CONNECT_SECONDS = 0.35
"""Connect timeout for each address of Redis; a name may have one for IPv4 and one for IPv6. It is the longest of the
three, as this process is busy meanwhile when hundreds join at once."""

ANSWER_SECONDS = 0.2
"""Timeout for sending a command, and for its answer. All timeouts together stay below a second."""

LAST_LOOK_SECONDS = 0.05
"""Timeout of one more read after that: an answer that arrived while this process was busy was only not read yet."""

MAX_CONNECTIONS = 32
"""Most connections of one server to Redis, and so most commands under way at a time."""

OPTIONS: Mapping[str, Any] = {
    "socket_connect_timeout": CONNECT_SECONDS,
    "socket_timeout": ANSWER_SECONDS,
    "socket_keepalive": True,
    "retry": Retry(NoBackoff(), 0),
    # Opening a connection takes no round trip that is not needed.
    "protocol": 2,
    "driver_info": None,
    "maint_notifications_config": MaintNotificationsConfig(enabled=False),
}
"""Options of every connection. Options in the URL (`?socket_timeout=1`) override them."""


def connect(url: str) -> redis.Redis:
    """Return a client for the Redis at `url` (`redis://`, `rediss://` or `unix://`), which need not be up yet.

    Commands are never retried: one that was not answered may have been executed. Each raises `redis.RedisError` when
    Redis cannot be reached, or after the timeouts here. Raises ValueError for an invalid URL.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=POOL_SECONDS,
        queue_class=_IdleConnections,
        **OPTIONS,
    )
    pool.connection_class = _looking_again(pool.connection_class)
    return redis.Redis.from_pool(pool)


def _looking_again(kind: type[redis.Connection]) -> type[redis.Connection]:
    """Return a subclass of `kind` that reads once more when an answer has timed out."""

    class LookingAgain(kind):  # type: ignore[misc, valid-type]
        def read_response(self, *arguments: Any, **options: Any) -> Any:
            # The caller has its own timeout, or its own way with errors.
            if "timeout" in options or not options.get("disconnect_on_error", True):
                return super().read_response(*arguments, **options)
            try:
                return super().read_response(*arguments, **(options | {"disconnect_on_error": False}))
            except redis.TimeoutError:
                return super().read_response(*arguments, **options, timeout=LAST_LOOK_SECONDS)
            except redis.ResponseError:  # An error reply: the connection is intact.
                raise
            except BaseException:
                self.disconnect()
                raise

    return LookingAgain


class _IdleConnections(LifoQueue[redis.Connection | None]):
    """The connections of the pool that are not in use; None stands for one to be created.

    The timeout starts again with each answer to another command: as long as Redis answers, this process is busy.
    """

    answered_at = 0.0

    def get(self, block: bool = True, timeout: float | None = None) -> redis.Connection | None:  # noqa: FBT001, FBT002 - as the library has it
        """Return one. Raises `queue.Empty` after so many seconds without an answer on any connection."""
        seconds = None if timeout is None else timeout / LOOKS
        start, looks = time.monotonic(), 0
        while True:
            try:
                return super().get(block, seconds)
            except Empty:
                looks += 1
                if self.answered_at > start:
                    start, looks = time.monotonic(), 0
                elif not block or looks >= LOOKS:
                    raise

    def _put(self, item: redis.Connection | None) -> None:
        if item is not None and item.is_connected:  # A failed one is closed before it is put back.
            self.answered_at = time.monotonic()
        super()._put(item)
