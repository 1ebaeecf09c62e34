"""The way to Redis, with bounds in time: what several servers share is there.

Under a patched standard library every command lets other green threads run until its answer is there.
"""

import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

PLACE_SECONDS = 0.2
"""How long a command waits for a connection while all are in use."""

CONNECT_SECONDS = 0.2
"""How long an address of Redis may take to accept a connection; a name may have one for each version of IP."""

ANSWER_SECONDS = 0.2
"""How long Redis may take to read a command, and to answer it. All together stays below a second."""

MAX_CONNECTIONS = 32
"""Most connections to Redis that one server has, and so most commands under way at a time."""


def connect(url: str) -> redis.Redis:
    """Return a client for the Redis at `url` (`redis://`, `rediss://` or `unix://`), which need not be there yet.

    A command is never repeated by itself: one that was not answered may have been done. Each raises
    `redis.RedisError` where Redis is lost, or takes longer than the constants here allow. A URL with options of its
    own (`?socket_timeout=1`) overrides those. Raises ValueError for what is no such URL.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=PLACE_SECONDS,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        # A connection that is opened in a hurry asks for nothing that is not needed.
        protocol=2,
        driver_info=None,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return redis.Redis.from_pool(pool)
