"""The client for the Redis that several servers share, with short timeouts.

Every command yields until its response arrives, as the standard library is patched.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from asf.adapters.redis_store.failures import details_of
from asf.adapters.redis_store.master_finder import MasterFinder
from asf.adapters.redis_store.pool import IdleConnections, RedisPool
from asf.adapters.redis_store.sentinel import Sentinel
from asf.adapters.redis_store.sentinel_url import SentinelUrl, is_sentinel_url, parse_sentinel_url
from asf.domain.errors import CatalogUnavailable

POOL_SECONDS = 0.2
"""How long a command waits for a connection while all are in use and Redis responds on none of them."""

CONNECT_SECONDS = 0.35
"""Connect timeout for each address of Redis; a name may have one for IPv4 and one for IPv6. It is the longest of the
three, as the process is busy meanwhile when hundreds join at once."""

FIND_SECONDS = 0.15
"""How long a new connection waits for the Sentinels, if there are any. Then the rest of `CONNECT_SECONDS` is left to
connect to the master."""

RESPONSE_SECONDS = 0.2
"""Timeout for sending a command, and for its response. All timeouts together, that of the pool's final read included,
stay below a second. The URL of the private Redis of workers has a longer one."""

MAX_CONNECTIONS = 32
"""Maximum number of connections of one server to Redis, and so of concurrent commands."""

OPTIONS: Mapping[str, Any] = {
    "socket_connect_timeout": CONNECT_SECONDS,
    "socket_timeout": RESPONSE_SECONDS,
    "retry": Retry(NoBackoff(), 0),
    # Opening a connection takes no unnecessary round trip.
    "protocol": 2,
    "driver_info": None,
    "maint_notifications_config": MaintNotificationsConfig(enabled=False),
}
"""Options of every connection. Options in the URL (`?socket_timeout=1`) override them."""

TCP_OPTIONS: Mapping[str, Any] = {"socket_keepalive": True}
"""Further options of connections other than `unix://`."""

UNIX = "unix://"


def connect(url: str) -> redis.Redis:
    """Return a client for the Redis at `url`, or for the master that Sentinels name; it need not be running yet.

    `url` starts with `redis://`, `rediss://` or `unix://`, or is one for Sentinels (`sentinel_url`). Commands are
    never retried: one without a response may have been executed. Each raises `redis.RedisError` when Redis is
    unreachable, or after the timeouts here. Raises ValueError for an invalid URL.
    """
    if is_sentinel_url(url):
        return _connect_to_master(parse_sentinel_url(url))
    return redis.Redis.from_pool(_create_pool(url))


def tasks_of(client: redis.Redis) -> tuple[Callable[[], None], ...]:
    """Return what must run, each in a task of its own as long as the program, for `client` to follow the master."""
    pool: Any = client.connection_pool
    tasks: tuple[Callable[[], None], ...] = pool.tasks
    return tasks


def ping(client: redis.Redis) -> None:
    """Wait for a sign of life from Redis. Raises `CatalogUnavailable`."""
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        raise CatalogUnavailable(details_of(error)) from error


def _connect_to_master(parts: SentinelUrl) -> redis.Redis:
    pool = _create_pool(parts.master_url, socket_connect_timeout=CONNECT_SECONDS - FIND_SECONDS)
    sentinels = [Sentinel(address, url, parts.master_name) for address, url in parts.sentinels.items()]
    finder = MasterFinder(parts.master_name, sentinels, lambda cause: pool.give_up_connections(cause, cause))
    # A URL for a Redis that is far away has a longer timeout.
    connect_seconds = pool.connection_kwargs["socket_connect_timeout"]
    pool.find_master = partial(finder.find, max(FIND_SECONDS, connect_seconds - CONNECT_SECONDS))
    pool.tasks = (finder.run,)
    return redis.Redis.from_pool(pool)


def _create_pool(url: str, **options: Any) -> RedisPool:
    return RedisPool.from_url(
        url,
        **{
            "max_connections": MAX_CONNECTIONS,
            "timeout": POOL_SECONDS,
            "queue_class": IdleConnections,
            **OPTIONS,
            **({} if url.startswith(UNIX) else TCP_OPTIONS),
            **options,
        },
    )
