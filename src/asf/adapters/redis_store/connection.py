"""The client for the Redis that several servers share, with short timeouts.

Every command yields until its response arrives, as the standard library is patched.
"""

from collections.abc import Mapping
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from asf.adapters.redis_store.pool import IdleConnections, RedisPool

POOL_SECONDS = 0.2
"""How long a command waits for a connection while all are in use and Redis responds on none of them."""

CONNECT_SECONDS = 0.35
"""Connect timeout for each address of Redis; a name may have one for IPv4 and one for IPv6. It is the longest of the
three, as the process is busy meanwhile when hundreds join at once."""

RESPONSE_SECONDS = 0.2
"""Timeout for sending a command, and for its response. All timeouts together, that of the pool's final read included,
stay below a second."""

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
    pool = RedisPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=POOL_SECONDS,
        queue_class=IdleConnections,
        **OPTIONS,
    )
    return redis.Redis.from_pool(pool)
