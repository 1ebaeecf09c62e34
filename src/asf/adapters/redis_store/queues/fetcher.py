"""Fetches audio that is no longer in memory, in blocks."""

import logging
import threading
from collections.abc import Callable

import redis

from asf.adapters.redis_store.failures import details_of
from asf.adapters.redis_store.pauses import Timing
from asf.adapters.redis_store.queues.blocks import BLOCK_BYTES, BlockCache
from asf.adapters.redis_store.queues.entries import Piece, pieces_of
from asf.adapters.redis_store.queues.index import join_pieces
from asf.adapters.redis_store.queues.open_queue import OpenQueue, Reader
from asf.adapters.redis_store.queues.problems import missing, recreated
from asf.adapters.redis_store.queues.reader import ENTRIES_PER_READ
from asf.backoff import Backoff
from asf.domain.errors import AudioUnavailable

FETCH_SECONDS = 15.0
"""How long fetching audio is retried before its listeners get an error."""

MAX_FETCHES = 8
"""Maximum number of queues whose blocks are fetched concurrently. Each takes a connection."""

MAX_WANTED = 16
"""Maximum number of blocks of a queue that are fetched before the readers that wait for any of them are called."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0
"""Pauses between attempts while Redis is unreachable."""

logger = logging.getLogger(__name__)


class BlockFetcher:
    """Reads queues from the cache `blocks`, and fetches what is not there: in one task per queue, while needed.

    `lock` guards the queues, their indexes and the cache. `spawn` starts a task. A fetch is retried for
    `fetch_seconds`.
    """

    def __init__(
        self,
        client: redis.Redis,
        blocks: BlockCache,
        lock: threading.Lock,
        spawn: Callable[[Callable[[], None]], object],
        fetch_seconds: float,
        timing: Timing,
    ) -> None:
        self._client = client
        self._blocks = blocks
        self._lock = lock
        self._spawn = spawn
        self._fetch_seconds = fetch_seconds
        self._timing = timing
        self._slots = threading.BoundedSemaphore(MAX_FETCHES)

    def read(self, queue: OpenQueue, reader: Reader, offset: int, length: int) -> bytes | None:
        """Return the bytes, or None while they are fetched; then `reader` is called. Raises `AudioUnavailable`."""
        if not length:
            return b""
        with self._lock:
            found = queue.index.read(offset, length)
            if isinstance(found, bytes):
                return found
            queue.raise_problem(found, self._timing.now())
            queue.want(found, reader, offset)
            must_start = not queue.fetching
            queue.fetching = True
        if must_start:
            self._spawn(lambda: self._fetch(queue))
        return None

    def cancel(self, queue: OpenQueue, reader: Reader, offset: int) -> None:
        """Fetch no block that only the reader's read at `offset` needs, if that has not begun."""
        with self._lock:
            queue.cancel(reader, offset)

    def _fetch(self, queue: OpenQueue) -> None:
        """Fetch what is wanted of one queue, until nothing is."""
        while wanted := self._wanted(queue):
            problem: AudioUnavailable | None = None
            try:
                self._fetch_blocks(queue, wanted)
            except AudioUnavailable as error:
                problem = error
            except Exception:
                logger.exception("Fetching audio of a queue failed")
                problem = AudioUnavailable("Fetching it failed.")
            with self._lock:
                queue.fetched(wanted, problem, self._timing.now())
                waiting, queue.waiting = queue.waiting, set()
            for reader in waiting:
                try:
                    reader.on_arrival()
                except Exception:
                    logger.exception("Handling the arrival of audio failed")

    def _wanted(self, queue: OpenQueue) -> list[int]:
        with self._lock:
            wanted = sorted(queue.wanted)[:MAX_WANTED] if queue.readers else []
            queue.fetching = bool(wanted)
            return wanted

    def _fetch_blocks(self, queue: OpenQueue, numbers: list[int]) -> None:
        """Fetch blocks, as long as they are wanted, with retries. Raises `AudioUnavailable`."""
        deadline = self._timing.now() + self._fetch_seconds
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        while True:
            try:
                with self._slots:
                    for number in numbers:
                        if number in queue.wanted:
                            self._fetch_block(queue, number)
            except (redis.RedisError, OSError) as error:
                if self._timing.now() + backoff.pause > deadline or queue.wanted.keys().isdisjoint(numbers):
                    raise AudioUnavailable(details_of(error)) from error
            else:
                return
            self._timing.sleep(backoff.next_pause())

    def _fetch_block(self, queue: OpenQueue, number: int) -> None:
        """Fetch one block, unless it is cached."""
        index = queue.index
        end = min((number + 1) * BLOCK_BYTES, index.size)
        while index.indexed < end and queue.readers:
            self._index_more(queue)
        with self._lock:
            if number >= index.complete_blocks or self._blocks.get(index, number) is not None:
                return
            entry_id, count = index.entry_of(number), max(2, min(index.entries_per_block, ENTRIES_PER_READ))
        start = number * BLOCK_BYTES
        data = bytearray()
        while len(data) < BLOCK_BYTES:
            pieces = self._entries_from(queue, entry_id, count)
            fresh = join_pieces(pieces if not data else pieces[1:], start + len(data))
            if not fresh and len(pieces) == 1:
                raise recreated()
            data += fresh
            entry_id = pieces[-1].entry_id
        with self._lock:
            index.keep(start, data[: index.complete_blocks * BLOCK_BYTES - start])

    def _index_more(self, queue: OpenQueue) -> None:
        """Index more entries of a queue whose end is already known."""
        index = queue.index
        pieces = self._entries_from(queue, index.last_id, ENTRIES_PER_READ)[1:]
        if not pieces:
            raise AudioUnavailable(f"The queue is missing bytes {index.indexed} to {index.size - 1}.")
        with self._lock:
            index.take(pieces)
            if index.problem is not None:
                raise index.problem

    def _entries_from(self, queue: OpenQueue, entry_id: bytes, count: int) -> list[Piece]:
        """Return entries, starting with one that was read before. Raises `AudioChanged` if that no longer exists."""
        self._timing.sleep(0)  # Let other tasks run.
        pieces = pieces_of(self._client.xrange(queue.key, entry_id, "+", count))
        if not pieces or pieces[0].entry_id != entry_id:
            raise recreated() if pieces else missing()
        return pieces
