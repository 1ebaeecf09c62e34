"""A Sentinel, and what it knows of the master."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from asf.adapters.redis_store.dedicated_connection import DedicatedConnection

SENTINEL_SECONDS = 1.0
"""Timeout of connecting to a Sentinel, and of each response. Nobody waits so long for it: what it says late is used
later. Options in the URL override it."""

OPTIONS: Mapping[str, Any] = {
    "socket_connect_timeout": SENTINEL_SECONDS,
    "socket_timeout": SENTINEL_SECONDS,
    "retry": Retry(NoBackoff(), 0),
    "protocol": 2,
    "driver_info": None,
    "maint_notifications_config": MaintNotificationsConfig(enabled=False),
}


@dataclass(frozen=True, slots=True)
class MasterView:
    """Where the master is, by one Sentinel. A failover has a higher `epoch` than all before.

    `state` is the reply to `SENTINEL MASTER`.
    """

    epoch: int
    host: str
    port: int
    state: Mapping[str, str] = field(compare=False, default_factory=dict)

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"


class Sentinel:
    """The Sentinel at `address`, which redis-py finds at `url`. It need not be running. One task asks at a time."""

    def __init__(self, address: str, url: str, master_name: str) -> None:
        self.address = address
        self._master_name = master_name
        self._connection = DedicatedConnection(redis.Redis.from_url(url, **OPTIONS))

    def ask(self) -> MasterView:
        """Return where the master is. The connection stays open.

        Raises `redis.RedisError` or `OSError` if the Sentinel does not respond, or does not know the master.
        """
        # The address is asked for last: one that is newer than the epoch does no harm. It is asked for separately,
        # as the state names the old master until all replicas follow the new one.
        reply = [_text(word) for word in self._connection.ask("SENTINEL", "MASTER", self._master_name)]
        state = dict(zip(reply[::2], reply[1::2], strict=True))
        address = self._connection.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._master_name)
        if address is None:
            raise redis.ResponseError("No such master with that name")
        host, port = map(_text, address)
        return MasterView(int(state.get("config-epoch", 0)), host, int(port), state)

    def quorum_problem(self) -> str:
        """Return why no failover is possible now, or empty text. Raises as `ask` does."""
        try:
            self._connection.ask("SENTINEL", "CKQUORUM", self._master_name)
        except redis.exceptions.NoPermissionError:
            return ""
        except redis.ResponseError as error:
            return str(error).removeprefix("NOQUORUM ")
        return ""

    def disconnect(self) -> None:
        """Close the connection. The next question opens it again."""
        self._connection.disconnect()


def _text(word: bytes | str) -> str:
    return word.decode(errors="replace") if isinstance(word, bytes) else word
