"""The nodes that share a Redis, by their heartbeats."""

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress

import redis

from asf.adapters.redis_store.lua import load_script
from asf.adapters.redis_store.lua_script import LuaScript
from asf.domain.errors import CatalogUnavailable

HEARTBEAT_SECONDS = 3.0
LEASE_SECONDS = 10.0
"""How long nobody waits in vain for a node: one without a heartbeat for this long is not expected to answer."""

FORGET_SECONDS = 600
"""For how long a node that has stopped without a word is still named."""

MOST_NODES = 256
"""Maximum number of nodes in the register. Those with the oldest heartbeats are forgotten."""

RETRY_SECONDS = 1.0
"""Pause after Redis has failed."""

logger = logging.getLogger(__name__)


class NodeRegister:
    """The nodes in the sorted set `key` of Redis. `node` is the name of this one."""

    def __init__(
        self, client: redis.Redis, node: str, key: str, heartbeat_seconds: float = HEARTBEAT_SECONDS
    ) -> None:
        self._client = client
        self._node = node
        self._key = key
        self._heartbeat_seconds = heartbeat_seconds
        self._heartbeat = LuaScript(client, load_script(__package__, "nodes_heartbeat"), CatalogUnavailable)
        self._read = LuaScript(client, load_script(__package__, "nodes_read"), CatalogUnavailable)
        self._closed = threading.Event()

    def nodes(self) -> Mapping[str, float]:
        """Return the seconds since the latest heartbeat of each node. Raises `CatalogUnavailable`."""
        found = self._read([self._key], {"forget_seconds": FORGET_SECONDS})
        names, ages = found[::2], found[1::2]
        return {name.decode(): max(0.0, float(age)) for name, age in zip(names, ages, strict=True)}

    def run(self) -> None:
        """Send heartbeats, until `close`."""
        while not self._closed.is_set():
            pause = self._heartbeat_seconds
            try:
                self.send_heartbeat()
            except CatalogUnavailable:
                pause = min(pause, RETRY_SECONDS)
            except Exception:
                logger.exception("Registering this node failed")
            self._closed.wait(pause)

    def send_heartbeat(self) -> None:
        """Register this node as alive. Raises `CatalogUnavailable`."""
        arguments = {"node": self._node, "forget_seconds": FORGET_SECONDS, "most_nodes": MOST_NODES}
        self._heartbeat([self._key], arguments)

    def close(self) -> None:
        """Make `run` return, and remove this node, as it stops. May yield. Raises nothing."""
        self._closed.set()
        with suppress(redis.RedisError, OSError):  # Then it is named for a while.
            self._client.zrem(self._key, self._node)
