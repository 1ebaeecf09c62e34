"""The catalog in Redis, which several servers share: implements the `CatalogStore` port.

What survives the death of Redis is Redis's own to say (`appendonly`). One Redis, not a cluster of them; and one that
evicts nothing (`maxmemory-policy noeviction`), since the number of streams is bounded here.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis

from asf.domain.errors import CatalogUnavailable
from asf.domain.streams import AudioStream, FileLocator, Locator, StreamState

PREFIX = "asf:1:catalog:"
"""What all keys begin with. The number is the version of what is kept: a later one does not touch it."""

FILE_KIND = "file"

# KEYS are the entries by id, the ids in order, and how many there are of each state.
# An entry is the state, a space, and the rest as JSON. The ids are a sorted set whose scores are all the same: then
# its order is that of the bytes of UTF-8, which is that of code points.

PUT = """
local earlier = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('HINCRBY', KEYS[3], ARGV[2], 1)
if earlier then
    redis.call('HINCRBY', KEYS[3], string.match(earlier, '^%S*'), -1)
end
"""

DELETE = """
local earlier = redis.call('HGET', KEYS[1], ARGV[1])
if not earlier then
    return 0
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HINCRBY', KEYS[3], string.match(earlier, '^%S*'), -1)
return 1
"""

PAGE = """
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], '+', 'LIMIT', 0, ARGV[2])) do
    table.insert(found, id)
    table.insert(found, redis.call('HGET', KEYS[1], id) or '')
end
return found
"""


class RedisCatalogStore:
    """Entries under keys that begin with `prefix`, in the Redis that `client` leads to, which need not be there yet.

    Every method that asks Redis raises `CatalogUnavailable` where that is lost or takes too long. What was to be
    written may have been written then.
    """

    def __init__(self, client: redis.Redis, prefix: str = PREFIX) -> None:
        self._client = client
        self._streams, self._ids, self._counts = self._keys = [prefix + name for name in ("streams", "ids", "counts")]
        self._checked = prefix + "checked"
        self._put = client.register_script(PUT)
        self._delete = client.register_script(DELETE)
        self._page = client.register_script(PAGE)

    def put(self, stream: AudioStream) -> None:
        """Keep `stream`, in place of an earlier one of the same id. Raises `CatalogUnavailable`."""
        self._ask(self._put, self._keys, [_bytes_of(stream.stream_id), stream.state.value, _entry_of(stream)])

    def get(self, stream_id: str) -> AudioStream | None:
        """Return the stream of that id, or None. Raises `CatalogUnavailable`."""
        entry = self._ask(self._client.hget, self._streams, _bytes_of(stream_id))
        return None if entry is None else _stream_of(stream_id, entry)

    def delete(self, stream_id: str) -> bool:
        """Forget the stream of that id, and tell whether there was one. Raises `CatalogUnavailable`."""
        return bool(self._ask(self._delete, self._keys, [_bytes_of(stream_id)]))

    def page(self, limit: int, after: str) -> list[AudioStream]:
        """Return at most `limit` streams in the order of their ids, those behind `after`.

        Raises `CatalogUnavailable`.
        """
        found = self._ask(self._page, self._keys, [b"(" + _bytes_of(after) if after else b"-", limit])
        return [
            _stream_of(stream_id.decode(), entry) for stream_id, entry in zip(found[::2], found[1::2], strict=True)
        ]

    def size(self) -> int:
        """Return how many streams are kept. Raises `CatalogUnavailable`."""
        return int(self._ask(self._client.hlen, self._streams))

    def count(self) -> Mapping[StreamState, int]:
        """Return how many streams of each state are kept. Raises `CatalogUnavailable`."""
        counts = self._ask(self._client.hmget, self._counts, list(StreamState))
        return {state: int(count or 0) for state, count in zip(StreamState, counts, strict=True)}

    def check(self) -> None:
        """Raise `CatalogUnavailable` unless streams can be read and kept now.

        A key of its own is written: a replica, a full memory and a full disk can be read from.
        """
        self._ask(self._client.set, self._checked, "1")

    def _ask(self, command: Callable[..., Any], *arguments: Any) -> Any:
        with _translated():
            return command(*arguments)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise `CatalogUnavailable` for what goes wrong with Redis."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise CatalogUnavailable(f"Redis: {error}.") from error


def _bytes_of(stream_id: str) -> bytes:
    """Return UTF-8, of a page's `after` too, which may be no stream id: the order stays that of code points."""
    return stream_id.encode(errors="surrogatepass")


def _entry_of(stream: AudioStream) -> str:
    """Return all but the id and the state as JSON in ASCII, whatever paths may be made of."""
    return json.dumps(
        {
            "locator_kind": FILE_KIND,
            "locator": stream.locator.path,
            "epoch": stream.epoch,
            "content_type": stream.content_type,
            "metadata": stream.metadata,
            "reason": stream.reason,
            "announced_at": stream.announced_at,
        },
        separators=(",", ":"),
    )


def _stream_of(stream_id: str, entry: bytes) -> AudioStream:
    state, _, rest = entry.partition(b" ")
    try:
        kept = json.loads(rest)
        return AudioStream(
            stream_id,
            _locator_of(kept["locator_kind"], kept["locator"]),
            StreamState(state.decode()),
            kept["epoch"],
            kept["content_type"],
            kept["metadata"],
            kept["reason"],
            kept["announced_at"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CatalogUnavailable(f"The entry of stream '{stream_id}' is damaged: {error!r}.") from error


def _locator_of(kind: str, locator: str) -> Locator:
    if kind != FILE_KIND:
        raise CatalogUnavailable(f"It has a locator of the unknown kind '{kind}'.")
    return FileLocator(locator)
