"""The catalog in Redis, which several servers share: implements the `CatalogStore` port.

What survives the death of Redis is Redis's own to say (`appendonly`). One Redis, not a cluster of them; and one that
evicts nothing (`maxmemory-policy noeviction`), since the number of streams is bounded here.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import redis
from redis.commands.core import Script

from asf.adapters.redis_store.failures import details_of
from asf.adapters.redis_store.in_order import InOrder
from asf.adapters.redis_store.pubsub import RedisPubSub, SubscribeFailed
from asf.domain.errors import CatalogFull, CatalogUnavailable
from asf.domain.streams.ports import StreamWatcher
from asf.domain.streams.stream import AudioStream, StreamState, locator_of

PREFIX = "asf:1:catalog:"
"""What all keys begin with. The number is the version of what is kept: a later one does not touch it."""

RETRY_SECONDS = 0.5
"""How long it takes until it is tried again to see what has become of the streams that are followed."""

STREAMS_AT_ONCE = 100
"""Most streams of which that is seen with one command."""

logger = logging.getLogger(__name__)

# KEYS are the entries by id, the ids in order, and how many there are of each state.
# An entry is the state, a space, and the rest as JSON. The ids are a sorted set whose scores are all the same: then
# its order is that of the bytes of UTF-8, which is that of code points.

# A change and the news of it are one step: no server hears of what is not there, or not of what is.
COMMON = """
local id, instead_of, news = ARGV[1], ARGV[2], ARGV[3]
local kept = redis.call('HGET', KEYS[1], id)
if (kept or '') ~= instead_of then
    return 'changed'
end

local function count(entry, change)
    redis.call('HINCRBY', KEYS[3], string.match(entry, '^%S*'), change)
end
"""

PUT = """
local entry, max_streams = ARGV[4], tonumber(ARGV[5])
if kept then
    count(kept, -1)
elseif redis.call('HLEN', KEYS[1]) >= max_streams then
    return 'full'
end
redis.call('HSET', KEYS[1], id, entry)
redis.call('ZADD', KEYS[2], 0, id)
count(entry, 1)
redis.call('PUBLISH', news, entry)
return 'done'
"""

DELETE = """
redis.call('HDEL', KEYS[1], id)
redis.call('ZREM', KEYS[2], id)
count(kept, -1)
redis.call('PUBLISH', news, '')
return 'done'
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

    Changes are heard through `news`, and told by threads of their own.

    Every method that asks Redis raises `CatalogUnavailable` where that is lost or takes too long. What was to be
    written may have been written then.
    """

    def __init__(self, client: redis.Redis, news: RedisPubSub, prefix: str = PREFIX) -> None:
        self._client = client
        self._news = news
        news.on_interrupted.append(self._look_at_all)
        self.on_change: StreamWatcher = _nobody_watches
        self._followed: set[str] = set()
        # Those of them that could not be followed yet.
        self._unheard: set[str] = set()
        self._changes = InOrder(self._tell)
        self._streams, self._ids, self._counts = self._keys = [prefix + name for name in ("streams", "ids", "counts")]
        self._checked = prefix + "checked"
        self._topics = prefix + "news:"
        self._put = client.register_script(COMMON + PUT)
        self._delete = client.register_script(COMMON + DELETE)
        self._page = client.register_script(PAGE)

    def follow(self, stream_id: str) -> AudioStream | None:
        """Tell of the changes of the stream, on whichever server, and return it. Raises `CatalogUnavailable`."""
        self._followed.add(stream_id)
        try:
            self._hear_of(stream_id)
            return self.get(stream_id)
        except CatalogUnavailable:
            self._look_at(stream_id)
            raise

    def unfollow(self, stream_id: str) -> None:
        """Tell of the stream's changes no more."""
        self._followed.discard(stream_id)
        self._news.unfollow(self._topic(stream_id))

    def put(self, stream: AudioStream, instead_of: AudioStream | None, max_streams: int) -> bool:
        """Keep `stream` instead of another one, or of nothing, if that is there.

        Raises `CatalogFull` or `CatalogUnavailable`.
        """
        outcome = self._change(self._put, stream.stream_id, instead_of, _entry_of(stream), max_streams)
        if outcome == b"full":
            raise CatalogFull.at(max_streams)
        return outcome == b"done"

    def get(self, stream_id: str) -> AudioStream | None:
        """Return the stream of that id, or None. Raises `CatalogUnavailable`."""
        entry = self._ask(self._client.hget, self._streams, _bytes_of(stream_id))
        return None if entry is None else _stream_of(stream_id, entry)

    def delete(self, stream: AudioStream) -> bool:
        """Forget `stream` if it is there, and tell whether it was. Raises `CatalogUnavailable`."""
        return self._change(self._delete, stream.stream_id, stream) == b"done"

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
        """Raise `CatalogUnavailable` unless streams can be read and kept now, and what others announce is heard.

        A key of its own is written: a replica, a full memory and a full disk can be read from. And something is
        published, which Redis's users need a right of their own for.
        """
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.set(self._checked, "1")
            pipeline.publish(self._checked, "")
            self._ask(pipeline.execute)
        if not self._news.is_connected:
            raise CatalogUnavailable("What other servers announce cannot be heard now.")

    def close(self) -> None:
        """Do nothing: the connections to Redis are not the store's own."""

    def _change(self, script: Script, stream_id: str, instead_of: AudioStream | None, *more: str | int) -> bytes:
        expected = "" if instead_of is None else _entry_of(instead_of)
        topic = self._topic(stream_id)
        outcome: bytes = self._ask(script, self._keys, [_bytes_of(stream_id), expected, topic, *more])
        return outcome

    def _topic(self, stream_id: str) -> str:
        return self._topics + stream_id

    def _hear_of(self, stream_id: str) -> None:
        try:
            self._news.follow(self._topic(stream_id), partial(self._hear, stream_id))
        except SubscribeFailed as error:
            raise CatalogUnavailable(str(error)) from error
        finally:
            if stream_id not in self._followed:  # Nobody wants it any more, and it was said before there was a topic.
                self._news.unfollow(self._topic(stream_id))

    def _hear(self, stream_id: str, entry: bytes) -> None:
        self._changes.put(stream_id, _stream_of(stream_id, entry) if entry else None)

    def _tell(self, stream_id: str, stream: AudioStream | None) -> None:
        if stream_id in self._followed:
            self.on_change(stream_id, stream)

    def _look_at_all(self) -> None:
        """See what has become of all streams whose topics are followed again."""
        stream_ids = list(self._followed - self._unheard)
        threading.Thread(target=self._catch_up_with, args=(stream_ids,), daemon=True).start()

    def _catch_up_with(self, stream_ids: Sequence[str]) -> None:
        for start in range(0, len(stream_ids), STREAMS_AT_ONCE):
            some = stream_ids[start : start + STREAMS_AT_ONCE]
            while True:
                try:
                    entries = self._ask(self._client.hmget, self._streams, list(map(_bytes_of, some)))
                except CatalogUnavailable:
                    time.sleep(RETRY_SECONDS)
                    continue
                break
            for stream_id, entry in zip(some, entries, strict=True):
                self._see(stream_id, entry)

    def _look_at(self, stream_id: str) -> None:
        """See what has become of a stream that could not be followed, as soon as it can."""
        self._unheard.add(stream_id)
        threading.Thread(target=self._catch_up, args=(stream_id,), daemon=True).start()

    def _catch_up(self, stream_id: str) -> None:
        while stream_id in self._followed:
            try:
                self._hear_of(stream_id)
                entry = self._ask(self._client.hget, self._streams, _bytes_of(stream_id))
            except CatalogUnavailable:
                time.sleep(RETRY_SECONDS)
                continue
            self._see(stream_id, entry)
            break
        self._unheard.discard(stream_id)

    def _see(self, stream_id: str, entry: bytes | None) -> None:
        """Tell what is there now. What is missing may have been lost by Redis, and its audio be growing on."""
        if entry is None:
            return
        try:
            self._changes.put(stream_id, _stream_of(stream_id, entry))
        except CatalogUnavailable as error:  # It is damaged, and no more can be said of it.
            logger.warning("%s", error)

    def _ask(self, command: Callable[..., Any], *arguments: Any) -> Any:
        with _translated():
            return command(*arguments)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise `CatalogUnavailable` for what goes wrong with Redis."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise CatalogUnavailable(details_of(error)) from error


def _bytes_of(stream_id: str) -> bytes:
    """Return UTF-8, of a page's `after` too, which may be no stream id: the order stays that of code points."""
    return stream_id.encode(errors="surrogatepass")


def _entry_of(stream: AudioStream) -> str:
    """Return the state, a space, and all but the id as JSON in ASCII, whatever paths may be made of."""
    rest = json.dumps(
        {
            "locator_kind": stream.locator.kind,
            "locator": stream.locator.text,
            "epoch": stream.epoch,
            "content_type": stream.content_type,
            "metadata": stream.metadata,
            "reason": stream.reason,
            "announced_at": stream.announced_at,
        },
        separators=(",", ":"),
    )
    return f"{stream.state} {rest}"


def _stream_of(stream_id: str, entry: bytes) -> AudioStream:
    state, _, rest = entry.partition(b" ")
    try:
        kept = json.loads(rest)
        return AudioStream(
            stream_id,
            locator_of(kept["locator_kind"], kept["locator"]),
            StreamState(state.decode()),
            kept["epoch"],
            kept["content_type"],
            kept["metadata"],
            kept["reason"],
            kept["announced_at"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CatalogUnavailable(f"The entry of stream '{stream_id}' is damaged: {error!r}.") from error


def _nobody_watches(_stream_id: str, _stream: AudioStream | None) -> None:
    pass
