"""The way to Redis, with bounds in time: what several servers share is there.

Under a patched standard library every command lets other green threads run until its answer is there.
"""

import time
from collections.abc import Mapping
from queue import Empty, LifoQueue
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

PLACE_SECONDS = 0.2
"""How long a command waits for a connection while all are in use and Redis answers none."""

LOOKS = 4
"""In how many parts that time is waited. Between them the answers are seen that came while this process was busy."""

CONNECT_SECONDS = 0.35
"""How long an address of Redis may take to accept a connection; a name may have one for each version of IP. It is the
longest of the three, as this process is busy meanwhile where hundreds join at once."""

ANSWER_SECONDS = 0.2
"""How long Redis may take to read a command, and to answer it. All together stays below a second."""

LAST_LOOK_SECONDS = 0.05
"""How long it is looked once more then: what came while this process was busy is there, and was only not seen."""

MAX_CONNECTIONS = 32
"""Most connections to Redis that one server has, and so most commands under way at a time."""


OPTIONS: Mapping[str, Any] = {
    "socket_connect_timeout": CONNECT_SECONDS,
    "socket_timeout": ANSWER_SECONDS,
    "socket_keepalive": True,
    "retry": Retry(NoBackoff(), 0),
    # A connection that is opened in a hurry asks for nothing that is not needed.
    "protocol": 2,
    "driver_info": None,
    "maint_notifications_config": MaintNotificationsConfig(enabled=False),
}
"""What holds for every connection. A URL with options of its own (`?socket_timeout=1`) overrides those."""


def connect(url: str) -> redis.Redis:
    """Return a client for the Redis at `url` (`redis://`, `rediss://` or `unix://`), which need not be there yet.

    A command is never repeated by itself: one that was not answered may have been done. Each raises
    `redis.RedisError` where Redis is lost, or takes longer than the constants here allow. Raises ValueError for
    what is no such URL.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=PLACE_SECONDS,
        queue_class=_Places,
        **OPTIONS,
    )
    pool.connection_class = _looking_again(pool.connection_class)
    return redis.Redis.from_pool(pool)


def _looking_again(kind: type[redis.Connection]) -> type[redis.Connection]:
    """Return that kind of connection, but one that looks once more for an answer whose time is over."""

    class LookingAgain(kind):  # type: ignore[misc, valid-type]
        def read_response(self, *arguments: Any, **options: Any) -> Any:
            # Such a caller bounds the wait, or handles the error, itself.
            if "timeout" in options or not options.get("disconnect_on_error", True):
                return super().read_response(*arguments, **options)
            try:
                return super().read_response(*arguments, **(options | {"disconnect_on_error": False}))
            except redis.TimeoutError:
                return super().read_response(*arguments, **options, timeout=LAST_LOOK_SECONDS)
            except redis.ResponseError:  # An answer as any other.
                raise
            except BaseException:
                self.disconnect()
                raise

    return LookingAgain


class _Places(LifoQueue[redis.Connection | None]):
    """The connections that are not in use; None for one that is still to be made.

    Whoever waits for one waits as long as others are answered: then it is this process that is busy.
    """

    answered_at = 0.0

    def get(self, block: bool = True, timeout: float | None = None) -> redis.Connection | None:  # noqa: FBT001, FBT002 - as the library has it
        """Return one. Raises `queue.Empty` after so many seconds without an answer to anybody."""
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
        if item is not None and item.is_connected:  # One that failed is closed before it is put back.
            self.answered_at = time.monotonic()
        super()._put(item)
