"""The client for the Redis that several servers share, with short timeouts.

Every command yields until its response arrives, as the standard library is patched.
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
"""How long a command waits for a connection while all are in use and Redis responds on none of them."""

WAIT_SLICES = 4
"""The wait is split into this many slices, so that responses that arrived while the process was busy are noticed."""

CONNECT_SECONDS = 0.35
"""Connect timeout for each address of Redis; a name may have one for IPv4 and one for IPv6. It is the longest of the
three, as the process is busy meanwhile when hundreds join at once."""

RESPONSE_SECONDS = 0.2
"""Timeout for sending a command, and for its response. All timeouts together stay below a second."""

FINAL_READ_SECONDS = 0.05
"""Timeout of one more read after that: a response that arrived while the process was busy was merely not read yet."""

MAX_CONNECTIONS = 32
"""Maximum number of connections of one server to Redis, and so of concurrent commands."""

OPTIONS: Mapping[str, Any] = {
    "socket_connect_timeout": CONNECT_SECONDS,
    "socket_timeout": RESPONSE_SECONDS,
    "socket_keepalive": True,
    "retry": Retry(NoBackoff(), 0),
    # Opening a connection takes no unnecessary round trip.
    "protocol": 2,
    "driver_info": None,
    "maint_notifications_config": MaintNotificationsConfig(enabled=False),
}
"""Options of every connection. Options in the URL (`?socket_timeout=1`) override them."""


def connect(url: str) -> redis.Redis:
    """Return a client for the Redis at `url` (`redis://`, `rediss://` or `unix://`), which need not be running yet.

    Commands are never retried: one without a response may have been executed. Each raises `redis.RedisError` when
    Redis is unreachable, or after the timeouts here. Raises ValueError for an invalid URL.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=POOL_SECONDS,
        queue_class=_IdleConnections,
        **OPTIONS,
    )
    pool.connection_class = _with_final_read(pool.connection_class)
    return redis.Redis.from_pool(pool)


def _with_final_read(kind: type[redis.Connection]) -> type[redis.Connection]:
    """Return a subclass of `kind` that reads once more when a response has timed out."""

    class WithFinalRead(kind):  # type: ignore[misc, valid-type]
        def read_response(self, *arguments: Any, **options: Any) -> Any:
            # The caller has its own timeout, or handles errors itself.
            if "timeout" in options or not options.get("disconnect_on_error", True):
                return super().read_response(*arguments, **options)
            try:
                return super().read_response(*arguments, **(options | {"disconnect_on_error": False}))
            except redis.TimeoutError:
                return super().read_response(*arguments, **options, timeout=FINAL_READ_SECONDS)
            except redis.ResponseError:  # An error reply: the connection is intact.
                raise
            except BaseException:
                self.disconnect()
                raise

    return WithFinalRead


class _IdleConnections(LifoQueue[redis.Connection | None]):
    """The connections of the pool that are not in use; None stands for one to be created.

    The timeout restarts with each response to another command: as long as Redis responds, the process is busy.
    """

    responded_at = 0.0

    def get(self, block: bool = True, timeout: float | None = None) -> redis.Connection | None:  # noqa: FBT001, FBT002 - as defined by the library
        """Return one. Raises `queue.Empty` after `timeout` seconds without a response on any connection."""
        seconds = None if timeout is None else timeout / WAIT_SLICES
        start, slices = time.monotonic(), 0
        while True:
            try:
                return super().get(block, seconds)
            except Empty:
                slices += 1
                if self.responded_at > start:
                    start, slices = time.monotonic(), 0
                elif not block or slices >= WAIT_SLICES:
                    raise

    def _put(self, item: redis.Connection | None) -> None:
        if item is not None and item.is_connected:  # A failed one is closed before it is put back.
            self.responded_at = time.monotonic()
        super()._put(item)
