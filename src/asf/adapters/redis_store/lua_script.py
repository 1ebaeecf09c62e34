"""Lua scripts, called with named arguments."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import redis

from asf.adapters.redis_store.failures import details_of
from asf.domain.errors import AsfError


class LuaScript:
    """A script with the source text `source`, in the Redis of `client`, whose failures are raised as `error`."""

    def __init__(self, client: redis.Redis, source: str, error: type[AsfError]) -> None:
        self._script = client.register_script(source)
        self._error = error

    def __call__(self, keys: Sequence[str], arguments: Mapping[str, Any], *strings: str | bytes) -> Any:
        """Run the script, and return its reply. Raises the `error` when Redis fails.

        `arguments` becomes a Lua table, by way of JSON: numbers are doubles. What must stay unchanged to the byte, or
        is long, goes into `strings`, which follow as `ARGV[2]`, `ARGV[3]` and so on.
        """
        try:
            return self._script(keys, [json.dumps(arguments), *strings])
        except (redis.RedisError, OSError) as failure:
            raise self._error(details_of(failure)) from failure
