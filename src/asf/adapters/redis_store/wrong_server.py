"""Replies that only a Redis other than the intended one gives, such as the one that a failover has left behind."""

import re
from collections.abc import Mapping

import redis

CAUSES: Mapping[str, str] = {
    "READONLY": "Redis is a read-only replica.",
    "LOADING": "Redis is loading its data.",
    "MASTERDOWN": "Redis is a replica without a master.",
    "CLUSTERDOWN": "The Redis cluster is down.",
    "UNBLOCKED": "Redis has become a replica.",
    "NOAUTH": "Redis requires a password.",
    "NOREPLICAS": "Redis has too few replicas.",
}
"""The codes of these replies, with sentences for clients. A connection that receives one is of no use: the address
may lead to another Redis by now, and the handshake of a new connection authenticates again."""

_QUOTED = re.compile(rf"(?:^|: |: -)({'|'.join(CAUSES)})\b")
"""A code in the text of another error: before version 7, Redis quotes the reply that made a script fail."""


def code_of(error: BaseException) -> str | None:
    """Return the code if `error` is such a reply, else None."""
    if not isinstance(error, redis.RedisError):
        return None
    if error.status_code in CAUSES:  # The library drops the code from the text.
        return error.status_code
    found = _QUOTED.search(str(error)) if isinstance(error, redis.ResponseError) else None
    return found[1] if found else None


def cause_of(error: BaseException) -> str | None:
    """Return a sentence for clients if `error` is such a reply, else None."""
    code = code_of(error)
    return None if code is None else CAUSES[code]


def run_id_of(info: bytes) -> str:
    """Return the id of the Redis process that gave this reply to `INFO`, or an empty string if it tells none.

    Raises `redis.exceptions.ReadOnlyError` for a read-only replica: it can be subscribed to, but not written to, and
    what is published there does not reach the other servers.
    """
    fields = dict(line.split(":", 1) for line in info.decode(errors="replace").splitlines() if ":" in line)
    if fields.get("role") == "slave" and fields.get("slave_read_only") == "1":
        raise redis.exceptions.ReadOnlyError("It is a read only replica.", status_code="READONLY")
    return fields.get("run_id", "")
