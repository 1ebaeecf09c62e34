"""The catalog in Redis, shared by several servers: implements the `CatalogStore` port.

Durability is a setting of Redis (`appendonly`). One Redis, not a cluster; and one that evicts nothing
(`maxmemory-policy noeviction`), since the number of streams is limited here.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

import redis
from redis.commands.core import Script

from asf.adapters.followed_streams import FollowedStreams
from asf.adapters.redis_store.batches import batches
from asf.adapters.redis_store.catalog_entries import entry_of, stream_of
from asf.adapters.redis_store.failures import details_of
from asf.adapters.redis_store.grouped_reads import GroupedReads
from asf.adapters.redis_store.lua import load_script
from asf.adapters.redis_store.pubsub import RedisPubSub, SubscribeFailed
from asf.adapters.redis_store.recent_streams import RecentStreams
from asf.adapters.serial_executor import start_thread
from asf.domain.errors import CatalogFull, CatalogUnavailable
from asf.domain.signal import Signal
from asf.domain.streams.stream import AudioStream, StreamState

PREFIX = "asf:1:catalog:"
"""Prefix of all keys. The number is the version of the format: a later one does not touch it."""

RETRY_SECONDS = 0.5
"""Pause between attempts to read the streams that are followed."""

STREAMS_AT_ONCE = 100
"""Maximum number of streams that are read with one command."""

logger = logging.getLogger(__name__)


class RedisCatalogStore:
    """Entries under keys with the prefix `prefix`, in the Redis of `client`, which need not be running yet.

    Changes arrive through `pubsub`, and are reported in threads, one for each stream that changes.

    Every method that queries Redis raises `CatalogUnavailable` when Redis is unreachable or times out. A change may
    nevertheless have been stored.

    With `recent`, which all servers that share this Redis must have, streams that were read are remembered.
    """

    is_local: ClassVar = False

    def __init__(
        self, client: redis.Redis, pubsub: RedisPubSub, prefix: str = PREFIX, recent: RecentStreams | None = None
    ) -> None:
        self._client = client
        self._recent = recent
        self._pubsub = pubsub
        pubsub.on_interrupted.append(self._read_all_followed)
        self._followed = FollowedStreams(start_thread, self.get)
        # Followed streams whose channels could not be subscribed to yet.
        self._not_subscribed: set[str] = set()
        self._streams, self._ids, self._counts = self._keys = [prefix + name for name in ("streams", "ids", "counts")]
        self._checked = prefix + "checked"
        self._channels = prefix + "news:"
        self._entries = GroupedReads(self._read_entries, STREAMS_AT_ONCE)
        self._put = client.register_script(load_script(__package__, "catalog_common", "catalog_put"))
        self._delete = client.register_script(load_script(__package__, "catalog_common", "catalog_delete"))
        self._page = client.register_script(load_script(__package__, "catalog_page"))

    @property
    def on_change(self) -> Signal[str, AudioStream | None]:
        """Called in a thread, after the change was received from Redis."""
        return self._followed.on_change

    def follow(self, stream_id: str) -> AudioStream | None:
        """Report the stream's changes by any server, and return it. Raises `CatalogUnavailable`."""
        is_subscribed = stream_id in self._followed and stream_id not in self._not_subscribed
        self._followed.add(stream_id)
        try:
            if not is_subscribed:
                self._subscribe(stream_id)
            return self._followed.current(stream_id)
        except CatalogUnavailable:
            self._not_subscribed.add(stream_id)
            start_thread(partial(self._subscribe_later, stream_id))
            raise

    def unfollow(self, stream_id: str) -> None:
        """Stop reporting changes of the stream."""
        self._followed.discard(stream_id)
        self._pubsub.unfollow(self._channel(stream_id))

    def put(self, stream: AudioStream, instead_of: AudioStream | None, max_streams: int) -> bool:
        """Store `stream` if `instead_of` is stored now. Raises `CatalogFull` or `CatalogUnavailable`."""
        outcome = self._change(self._put, stream.stream_id, instead_of, entry_of(stream), max_streams)
        if outcome == b"full":
            raise CatalogFull.at(max_streams)
        return outcome == b"done"

    def get(self, stream_id: str) -> AudioStream | None:
        """Return the stream of that id, or None. Raises `CatalogUnavailable`."""
        return self._read(stream_id) if self._recent is None else self._recent.read(stream_id, self._read)

    def peek(self, stream_id: str) -> AudioStream | None:
        """Return the stream of that id if it is remembered; else None."""
        return None if self._recent is None else self._recent.get(stream_id)

    def delete(self, stream: AudioStream) -> bool:
        """Delete `stream` if it is stored now, and return whether it was. Raises `CatalogUnavailable`."""
        return self._change(self._delete, stream.stream_id, stream) == b"done"

    def page(self, limit: int, after: str) -> list[AudioStream]:
        """Return at most `limit` streams with ids after `after`, in the order of their ids.

        Raises `CatalogUnavailable`.
        """
        found = self._ask(self._page, self._keys, [b"(" + _bytes_of(after) if after else b"-", limit])
        return [
            stream_of(stream_id.decode(), entry) for stream_id, entry in zip(found[::2], found[1::2], strict=True)
        ]

    def count(self) -> Mapping[StreamState, int]:
        """Return how many streams of each state there are. Raises `CatalogUnavailable`."""
        counts = self._ask(self._client.hmget, self._counts, list(StreamState))
        return {state: int(count or 0) for state, count in zip(StreamState, counts, strict=True)}

    def check(self) -> None:
        """Raise `CatalogUnavailable` unless streams can be read and stored now, and pub/sub works.

        Writes a key of its own, because a replica, or a Redis whose memory or disk is full, can still be read.
        Publishes, because that is a separate permission.
        """
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.set(self._checked, "1")
            pipeline.publish(self._checked, "")
            self._ask(pipeline.execute)
        if not self._pubsub.is_connected:
            raise CatalogUnavailable("Not subscribed to Redis: changes made on other servers are not received.")

    def close(self) -> None:
        """Do nothing: the connections to Redis are not the store's own."""

    def _change(self, script: Script, stream_id: str, instead_of: AudioStream | None, *more: str | int) -> bytes:
        expected = "" if instead_of is None else entry_of(instead_of)
        arguments = [_bytes_of(stream_id), expected, self._channel(stream_id), *more]
        try:
            outcome: bytes = self._ask(script, self._keys, arguments)
        finally:
            if self._recent is not None:
                self._recent.note_change()
        return outcome

    def _read(self, stream_id: str) -> AudioStream | None:
        entry = self._entries.get(stream_id)
        return None if entry is None else stream_of(stream_id, entry)

    def _channel(self, stream_id: str) -> str:
        return self._channels + stream_id

    def _subscribe(self, stream_id: str) -> None:
        try:
            self._pubsub.follow(self._channel(stream_id), partial(self._receive, stream_id))
        except SubscribeFailed as error:
            raise CatalogUnavailable(str(error)) from error
        finally:
            if stream_id not in self._followed:  # `unfollow` was called before there was a subscription.
                self._pubsub.unfollow(self._channel(stream_id))

    def _receive(self, stream_id: str, entry: bytes) -> None:
        self._followed.report(stream_id, stream_of(stream_id, entry) if entry else None)

    def _read_all_followed(self) -> None:
        """Report the current values of all streams whose channels are subscribed to again."""
        self._followed.forget_reads()
        stream_ids = [stream_id for stream_id in list(self._followed) if stream_id not in self._not_subscribed]
        start_thread(partial(self._read_later, stream_ids))

    def _read_later(self, stream_ids: Sequence[str]) -> None:
        for some in batches(stream_ids, STREAMS_AT_ONCE):
            read = partial(self._read_entries, some)
            arrivals = list(map(self._followed.arrivals, some))
            while (entries := _if_available(read)) is None:
                time.sleep(RETRY_SECONDS)
                arrivals = list(map(self._followed.arrivals, some))
            for stream_id, entry, before in zip(some, entries, arrivals, strict=True):
                if self._followed.arrivals(stream_id) == before:  # Otherwise a change has been reported meanwhile.
                    self._report(stream_id, entry)

    def _read_entries(self, stream_ids: Sequence[str]) -> list[bytes | None]:
        """Return the entries of some streams, None for those that are not stored. Raises `CatalogUnavailable`."""
        entries: list[bytes | None] = self._ask(
            self._client.hmget, self._streams, [_bytes_of(stream_id) for stream_id in stream_ids]
        )
        return entries

    def _subscribe_later(self, stream_id: str) -> None:
        """Subscribe to the channel of a stream, and report its current value, once Redis is reachable."""

        def subscribe_and_read() -> list[bytes | None]:
            self._subscribe(stream_id)
            arrivals = self._followed.arrivals(stream_id)
            entry = self._entries.get(stream_id)
            return [entry if self._followed.arrivals(stream_id) == arrivals else None]

        while stream_id in self._followed:
            found = _if_available(subscribe_and_read)
            if found is not None:
                self._report(stream_id, found[0])
                break
            time.sleep(RETRY_SECONDS)
        self._not_subscribed.discard(stream_id)

    def _report(self, stream_id: str, entry: bytes | None) -> None:
        """Report a current value. A missing one may have been lost by Redis while its audio still grows."""
        if entry is None:
            return
        try:
            self._followed.report_read(stream_id, stream_of(stream_id, entry))
        except CatalogUnavailable as error:  # It is damaged.
            logger.warning("%s", error)

    def _ask(self, command: Callable[..., Any], *arguments: Any) -> Any:
        with _translated():
            return command(*arguments)


def _if_available(read: Callable[[], list[bytes | None]]) -> list[bytes | None] | None:
    """Return what `read` returns; None if Redis is unreachable."""
    try:
        return read()
    except CatalogUnavailable:
        return None


@contextmanager
def _translated() -> Iterator[None]:
    """Raise `CatalogUnavailable` for errors of Redis."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise CatalogUnavailable(details_of(error)) from error


def _bytes_of(stream_id: str) -> bytes:
    """Return UTF-8. A page's `after` need not be a stream id: the order stays that of code points."""
    return stream_id.encode(errors="surrogatepass")
