"""Blocks of objects: each is read once for all its readers, and recently used ones are cached."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Protocol

from cachetools import LRUCache

from asf.adapters.object_store.objects import StoredObject
from asf.adapters.object_store.worker import BoundedWorker, StoreRequest
from asf.domain.errors import AudioUnavailable

BLOCK_BYTES = 512 * 1024
"""Size of a block; the last one of an object may be shorter."""

FAILURE_SECONDS = 1.0
"""For how long a failed read of a block is cached, so that all its readers get the error."""


class BlockReader(Protocol):
    """A reader of an object's blocks. `on_arrival` is called when a block that it waits for has arrived or failed."""

    audio: StoredObject
    identity: Hashable
    on_arrival: Callable[[], None]


class BlockRead(StoreRequest):
    """Reads one block, for what is in `wanted_by`: readers, and the offsets that they read; or ahead of them."""

    def __init__(
        self,
        audio: StoredObject,
        number: int,
        requested_at: float,
        on_finish: "Callable[[BlockRead], None]",
        *,
        ahead: bool,
    ) -> None:
        super().__init__(audio.url, requested_at)
        self.key = (audio.identity, number)
        self.wanted_by: dict[tuple[BlockReader, int], None] = {}
        self.data: bytes | None = None
        self._audio = audio
        self._start = number * BLOCK_BYTES
        self._on_finish = on_finish
        self.is_ahead = ahead

    def send(self) -> None:
        """Read the block."""
        self.data = self._audio.read(self._start, min(self._start + BLOCK_BYTES, self._audio.size))

    def finish(self) -> None:
        """Hand the block to the cache."""
        self._on_finish(self)


class BlockCache:
    """The blocks of all objects, up to `max_bytes` (one block or more); the least recently used are evicted first."""

    def __init__(self, worker: BoundedWorker, max_bytes: int, now: Callable[[], float]) -> None:
        self._worker = worker
        self._now = now
        self._cached: LRUCache[Hashable, bytes] = LRUCache(max_bytes, getsizeof=len)
        self._reads: dict[Hashable, BlockRead] = {}
        # Oldest first.
        self._failures: OrderedDict[Hashable, tuple[float, AudioUnavailable]] = OrderedDict()

    def get(self, reader: BlockReader, number: int, offset: int) -> bytes | None:
        """Return a block of the reader's object, or None: then `on_arrival` is called when that may have changed.

        `offset` is that of the read that needs it, for `cancel`. Raises `AudioUnavailable` if reading the block has
        failed within the last `FAILURE_SECONDS`.
        """
        key = (reader.identity, number)
        try:
            return self._cached[key]
        except KeyError:
            pass
        self._forget_failures()
        if key in self._failures:
            raise self._failures[key][1].with_traceback(None)
        read = self._reads.get(key)
        if read is None:
            read = self._reads[key] = BlockRead(reader.audio, number, self._now(), self._finish, ahead=False)
            read.wanted_by[reader, offset] = None
            self._worker.submit(read)
        else:
            read.wanted_by[reader, offset] = None
        return None

    def read_ahead(self, reader: BlockReader, number: int) -> None:
        """Read a block before it is wanted, unless the worker is busy."""
        key = (reader.identity, number)
        if key not in self._cached and key not in self._reads and not self._worker.is_full(reader.audio.url):
            read = self._reads[key] = BlockRead(reader.audio, number, self._now(), self._finish, ahead=True)
            self._worker.submit(read)

    def cancel(self, reader: BlockReader, number: int, offset: int) -> None:
        """Do not read a block if only the read at `offset` needs it and it is not being read yet."""
        key = (reader.identity, number)
        read = self._reads.get(key)
        if read is None:
            return
        read.wanted_by.pop((reader, offset), None)
        if not read.wanted_by and not read.is_ahead and self._worker.cancel(read):
            del self._reads[key]

    def _finish(self, read: BlockRead) -> None:
        del self._reads[read.key]
        if read.data is not None:
            self._cached[read.key] = read.data
        elif read.error is not None and read.wanted_by:
            self._failures[read.key] = (self._now(), read.error)
        for reader in dict.fromkeys(reader for reader, _offset in read.wanted_by):
            reader.on_arrival()

    def _forget_failures(self) -> None:
        while self._failures:
            key, (failed_at, _error) = next(iter(self._failures.items()))
            if self._now() - failed_at < FAILURE_SECONDS:
                return
            del self._failures[key]
