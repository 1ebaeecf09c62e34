"""The Lua scripts of this package, called with named arguments."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import redis

from asf.adapters.redis_store.failures import details_of
from asf.adapters.redis_store.lua import load_script
from asf.domain.errors import UiEmitFailed


class LuaScript:
    """A script made of files in `scripts/`, in the Redis of `client`."""

    def __init__(self, client: redis.Redis, *names: str) -> None:
        self._script = client.register_script(load_script(__package__, *names))

    def __call__(self, keys: Sequence[str], arguments: Mapping[str, Any], *strings: str | bytes) -> Any:
        """Run the script, and return its reply. Raises `UiEmitFailed` when Redis fails.

        `arguments` becomes a Lua table, by way of JSON: numbers are doubles. What must stay unchanged to the byte, or
        is long, goes into `strings`, which follow as `ARGV[2]`, `ARGV[3]` and so on.
        """
        try:
            return self._script(keys, [json.dumps(arguments), *strings])
        except (redis.RedisError, OSError) as error:
            raise UiEmitFailed(details_of(error)) from error
