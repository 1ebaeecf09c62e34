"""Opens audio queues: implements the `AudioSources` port for `queue:NAME`.

Any server reads any queue, from any offset, whether it is complete or still grows. One connection follows all queues
that are open here and may grow; what is no longer in memory is fetched in blocks.

The first entry tells a queue from one that is created under the same name later. It is compared when a queue is
opened, when entries do not continue the ones before, after Redis was unreachable, and every second; every fetch
starts with an entry that was read before. So bytes of two queues are never mixed.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

import redis

from asf.adapters.locator_syntax import queue_name_of
from asf.adapters.redis_store.failures import details_of
from asf.adapters.redis_store.pauses import SystemTiming, Timing
from asf.adapters.redis_store.queues.blocks import BlockCache
from asf.adapters.redis_store.queues.entries import PREFIX, UPLOAD_NAME_PREFIX, pieces_of
from asf.adapters.redis_store.queues.fetcher import FETCH_SECONDS, BlockFetcher
from asf.adapters.redis_store.queues.follower import QueueFollower
from asf.adapters.redis_store.queues.index import QueueIndex
from asf.adapters.redis_store.queues.open_queue import OpenQueue, OpenQueues, QueueEnds
from asf.adapters.redis_store.queues.problems import not_a_queue, recreated
from asf.adapters.redis_store.queues.reader import QueueReader
from asf.adapters.redis_store.queues.source import QueueAudioSource, TypeOf
from asf.domain.errors import AudioUnavailable, InvalidFilepath
from asf.domain.streams.stream import Locator, QueueLocator

MAX_BYTES = 64 * 1024 * 1024
"""Size of the block cache of all queues together, in addition to what the audio pool holds."""

FIRST_ENTRIES = 16
"""Entries that are read when a queue is opened, so that its first audio is there at once."""

LAST_ENTRIES = 4
"""Entries at the tail that are then searched for the ending: the very last one may be a repeat."""

OPEN_ATTEMPTS = 3
"""Attempts to read a queue when it is opened: a busy process may miss a response."""


class RedisAudioQueues:
    """The queues in the Redis of `client`, under keys with the prefix `prefix`.

    `spawn` runs a function in a task of its own. `type_of` returns media types. At most `max_bytes` of audio are
    cached. While Redis is unreachable, cached audio can be read and fetches are retried for `fetch_seconds`; open
    queues resume growing when it is back.
    """

    def __init__(
        self,
        client: redis.Redis,
        spawn: Callable[[Callable[[], None]], object],
        type_of: TypeOf,
        max_bytes: int = MAX_BYTES,
        fetch_seconds: float = FETCH_SECONDS,
        prefix: str = PREFIX,
        timing: Timing | None = None,
    ) -> None:
        timing = self._timing = timing or SystemTiming()
        self._client = client
        self._type_of = type_of
        self._prefix = prefix
        self._blocks = BlockCache(max_bytes)
        self._queues = OpenQueues()
        self._follower = QueueFollower(self._queues, QueueReader(client), spawn, timing)
        self._fetcher = BlockFetcher(client, self._blocks, self._queues.lock, spawn, fetch_seconds, timing)

    def __len__(self) -> int:
        """Return the number of queues that are open as growing."""
        return len(self._queues)

    def unreachable(self) -> Mapping[str, str]:
        """Return nothing: the catalog is in the same Redis, and checks that it can be reached."""
        return {}

    def locate(self, filepath: str) -> Locator:
        """Return the locator of `queue:NAME`. Raises `InvalidFilepath`."""
        name = queue_name_of(filepath)
        if name.startswith(UPLOAD_NAME_PREFIX):
            raise InvalidFilepath("The name of the queue is reserved for uploads.")
        return QueueLocator(name)

    def content_type_of(self, locator: Locator) -> str | None:
        """Return the media type by the queue's name, or None."""
        return self._type_of(locator.text, b"")

    def open(self, locator: Locator, *, growing: bool = False) -> QueueAudioSource:
        """Open the queue. Reads its ends first, within a bounded time; may yield.

        With `growing` the queue need not exist yet, and one that is already open can be opened while Redis is
        unreachable. Otherwise the source has what was added so far. Raises `AudioUnavailable` if that is nothing, or
        if Redis is unreachable.
        """
        assert isinstance(locator, QueueLocator)  # noqa: S101 - as defined by the container
        key = f"{self._prefix}{locator.name}".encode()
        try:
            ends = self._read_ends_with_retries(key)
        except (redis.RedisError, OSError) as error:
            if not growing or key not in self._queues:
                raise AudioUnavailable(details_of(error)) from error
            ends = None
        if growing or ends is None:
            return self._open_growing(locator.name, key, ends)
        return self._open_as_it_is(locator.name, key, ends)

    def _open_as_it_is(self, name: str, key: bytes, ends: QueueEnds) -> QueueAudioSource:
        queue = OpenQueue(key, QueueIndex(self._blocks))
        with self._queues.lock:
            queue.start_with(ends)
            queue.index.end_with(ends.last)
            if queue.index.problem is not None:
                raise queue.index.problem
            if queue.index.head is None:
                raise AudioUnavailable("The queue is empty.")
            return self._source_of(queue, name)

    def _open_growing(self, name: str, key: bytes, ends: QueueEnds | None) -> QueueAudioSource:
        with self._queues.lock:
            queue = self._queues.get(key)
            is_new = queue is None or not queue.is_same(ends)
            if queue is None or is_new:
                if queue is not None and queue.index.grows:
                    queue.index.problem = recreated()
                queue = OpenQueue(key, QueueIndex(self._blocks))
                self._queues.add(queue)
                queue.start_with(ends)
            source = self._source_of(queue, name)
        self._follower.follow(queue, is_new=is_new)
        return source

    def _source_of(self, queue: OpenQueue, name: str) -> QueueAudioSource:
        source = QueueAudioSource(queue, name, self._type_of, self._fetcher, self._release, self._timing)
        queue.readers.add(source)
        return source

    def _release(self, queue: OpenQueue, source: QueueAudioSource) -> None:
        """Forget a source, and with the last one the queue and its cached blocks."""
        with self._queues.lock:
            queue.leave(source)
            if not queue.readers:
                queue.index.forget()
                self._queues.remove(queue)

    def _read_ends_with_retries(self, key: bytes) -> QueueEnds:
        for _ in range(OPEN_ATTEMPTS - 1):
            with suppress(redis.RedisError, OSError):
                return self._read_ends(key)
        return self._read_ends(key)

    def _read_ends(self, key: bytes) -> QueueEnds:
        """Return the first and last entries of a queue. Raises `redis.RedisError` or `OSError`."""
        try:
            with self._client.pipeline(transaction=True) as pipeline:
                pipeline.xrange(key, count=FIRST_ENTRIES)
                pipeline.xrevrange(key, count=LAST_ENTRIES)
                first, last = pipeline.execute()
        except redis.ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            return QueueEnds([], [], not_a_queue())
        return QueueEnds(pieces_of(first), pieces_of(reversed(last)))
