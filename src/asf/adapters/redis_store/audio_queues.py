"""Audio that is put into a Redis Stream piece by piece: implements the `AudioSources` port for `queue:NAME`.

What an entry looks like is in docs/contract.md, section 2. Any server reads any queue, from any offset, whether it is
complete or still grows. One connection follows all queues that are open here and may grow; what is no longer in
memory is fetched in blocks.

The first entry tells a queue from another that was put under the same name. It is looked at when a queue is
opened, when bytes come that are there already, after Redis was lost, and every second; and whatever is fetched begins
with an entry that was read before. So bytes of two makings are never mixed.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import redis

from asf.adapters.locator_syntax import queue_name_of
from asf.adapters.redis_store.failures import details_of
from asf.adapters.redis_store.queue_entries import PREFIX, Piece, piece_of
from asf.adapters.redis_store.queue_index import BLOCK_BYTES, Blocks, QueueIndex, stitch
from asf.adapters.redis_store.queue_reader import ENTRIES_PER_READ, QueueReader
from asf.domain.errors import AudioChanged, AudioUnavailable
from asf.domain.streaming.audio import UNKNOWN_CONTENT_TYPE
from asf.domain.streams.stream import AudioEnding, Locator, QueueLocator

MAX_BYTES = 64 * 1024 * 1024
"""Most audio that is kept in memory, of all queues together, beside what was read already by the pool."""

FIRST_ENTRIES = 16
"""How many entries are read when a queue is opened, so that its first audio waits for nothing else."""

LAST_ENTRIES = 4
"""Among how many entries at the end it is looked then how the queue ends: the very last one may be a repeat."""

LOOKS = 3
"""How often Redis is asked when a queue is opened: a process that is busy may miss an answer."""

PAUSE_SECONDS = 0.01
"""Pause after a read in which all that there was has come, so that many queues that grow share the next one."""

LOOK_SECONDS = 1.0
"""How often it is looked whether the queues that grow are still the same."""

FIRST_DELAY, LONGEST_DELAY = 0.05, 1.0
"""Pauses between attempts while Redis is lost, in seconds: from the first, doubled each time, up to the longest."""

PATIENCE_SECONDS = 15.0
"""How long it is tried to fetch audio before a listener is told that it cannot be had."""

FAILURE_SECONDS = 1.0
"""How long listeners who want what could not be fetched are told so, before it is tried again."""

MAX_FETCHES = 8
"""Queues of which blocks are fetched at a time. Each takes a connection meanwhile."""

MAX_WANTED = 16
"""Blocks of a queue that are fetched before those who wait for any of them are told."""

TypeOf = Callable[[str, bytes], str | None]
"""Returns the media type that an audio's name tells, or else its first bytes, of which there may be none; or None."""

logger = logging.getLogger(__name__)


class QueueAudioSource:
    """One queue, opened: implements the `AudioSource` port. `size` and `ending` are as of the last `refresh`."""

    def __init__(self, sources: "RedisAudioQueues", queue: "_OpenQueue", type_of: TypeOf, name: str) -> None:
        self._sources = sources
        self._queue: _OpenQueue | None = queue
        self._type_of = type_of
        self._name = name
        self.on_arrival: Callable[[], None] = _nobody_waits
        self.size = queue.index.size
        self.ending: AudioEnding | None = queue.index.ending

    @property
    def content_type(self) -> str:
        """The media type by the queue's name, or else by the first bytes."""
        return self._type_of(self._name, self._opened.index.beginning) or UNKNOWN_CONTENT_TYPE

    @property
    def identity(self) -> tuple[Any, ...]:
        """Which queue it is, in which making, and how long."""
        queue = self._opened
        return (queue.key, queue.index.head, self.size)

    def read(self, offset: int, length: int) -> bytes | None:
        """Return exactly `length` bytes from `offset` on, or None while they are fetched.

        Raises `AudioUnavailable`.
        """
        if offset + length > self.size:
            raise AudioUnavailable(f"The queue ends at byte {self.size}.")
        return self._sources.read(self._opened, self, offset, length)

    def refresh(self) -> int:
        """Return the length by now. Raises `AudioChanged`, or `AudioUnavailable` for a queue with an error in it."""
        index = self._opened.index
        if index.ending is None and index.problem is not None:
            raise index.problem
        self.size, self.ending = index.size, index.ending
        return self.size

    def finalize(self) -> int:
        """Do as `refresh`: a queue says itself when it is over."""
        return self.refresh()

    def close(self) -> None:
        """Let go of the queue. Closing twice does no harm."""
        queue, self._queue = self._queue, None
        if queue is not None:
            self._sources.close(queue, self)

    @property
    def _opened(self) -> "_OpenQueue":
        if self._queue is None:
            raise AudioUnavailable("It is closed.")
        return self._queue


class RedisAudioQueues:
    """The queues in the Redis that `client` leads to, under keys that begin with `prefix`.

    `start` begins a function in a green thread of its own, and does not wait for it. `type_of` tells media types. At
    most `max_bytes` of audio are kept. Redis may be lost: what is in memory is read all the same, the rest is tried
    for `patience_seconds`, and queues that are open go on growing when it is back.
    """

    def __init__(
        self,
        client: redis.Redis,
        start: Callable[[Callable[[], None]], object],
        type_of: TypeOf,
        max_bytes: int = MAX_BYTES,
        patience_seconds: float = PATIENCE_SECONDS,
        prefix: str = PREFIX,
    ) -> None:
        self._client = client
        self._start = start
        self._type_of = type_of
        self._patience_seconds = patience_seconds
        self._prefix = prefix
        self._blocks = Blocks(max_bytes)
        self._reader = QueueReader(client)
        self._open: dict[bytes, _OpenQueue] = {}
        self._lock = threading.Lock()  # Never held while anything is waited for.
        self._following = False
        self._fetches = threading.BoundedSemaphore(MAX_FETCHES)

    def __len__(self) -> int:
        """Return how many queues are open."""
        return len(self._open)

    def unreachable(self) -> Mapping[str, str]:
        """Return nothing: whether Redis can be reached is asked by the catalog, which is there as well."""
        return {}

    def locate(self, filepath: str) -> Locator:
        """Return which queue `queue:NAME` is. Raises `InvalidFilepath`."""
        return QueueLocator(queue_name_of(filepath))

    def content_type_of(self, locator: Locator) -> str | None:
        """Return the media type that the queue's name tells, or None."""
        return self._type_of(locator.text, b"")

    def open(self, locator: Locator, *, growing: bool = False) -> QueueAudioSource:
        """Open the queue, after a look at it that takes a bounded time.

        One that is growing need not exist yet; one that somebody has open already is opened also while Redis is
        lost. Of one that is not growing there is what has been put into it by now. Raises `AudioUnavailable` where
        that is nothing, and where Redis does not tell.
        """
        assert isinstance(locator, QueueLocator)  # noqa: S101 - as the container has it
        key = f"{self._prefix}{locator.name}".encode()
        try:
            found = self._look_often_enough(key)
        except (redis.RedisError, OSError) as error:
            if not growing or key not in self._open:
                raise AudioUnavailable(details_of(error)) from error
            found = None
        if growing or found is None:
            return self._open_growing(locator.name, key, found)
        return self._open_as_it_is(locator.name, key, found)

    def _look_often_enough(self, key: bytes) -> "_Found":
        for _ in range(LOOKS - 1):
            with suppress(redis.RedisError, OSError):
                return self._look(key)
        return self._look(key)

    def _open_as_it_is(self, name: str, key: bytes, found: "_Found") -> QueueAudioSource:
        queue = _OpenQueue(key, QueueIndex(self._blocks))
        with self._lock:
            queue.begin(found)
            queue.index.end_with(found.last)
            if queue.index.problem is not None:
                raise queue.index.problem
            if queue.index.head is None:
                raise AudioUnavailable("There is nothing in the queue.")
            return self._source_of(queue, name)

    def _open_growing(self, name: str, key: bytes, found: "_Found | None") -> QueueAudioSource:
        with self._lock:
            queue = self._open.get(key)
            is_new = queue is None or not queue.is_the_one(found)
            if queue is None or is_new:
                if queue is not None and queue.index.grows:
                    queue.index.problem = _changed()
                queue = self._open[key] = _OpenQueue(key, QueueIndex(self._blocks))
                queue.begin(found)
            source = self._source_of(queue, name)
            must_follow = queue.index.grows and not self._following
            self._following = self._following or must_follow
        if must_follow:
            self._start(self._follow)
        elif is_new and queue.index.grows:
            self._nudge()
        return source

    def read(self, queue: "_OpenQueue", source: QueueAudioSource, offset: int, length: int) -> bytes | None:
        """Read for an opened source, or begin to fetch."""
        if not length:
            return b""
        with self._lock:
            found = queue.index.read(offset, length)
            if isinstance(found, bytes):
                return found
            queue.raise_problem(found)
            queue.wanted.update(found)
            queue.waiting.add(source)
            must_fetch = not queue.fetching
            queue.fetching = True
        if must_fetch:
            self._start(lambda: self._fetch(queue))
        return None

    def close(self, queue: "_OpenQueue", source: QueueAudioSource) -> None:
        """Close an opened source, and with the last one all that is kept of the queue."""
        with self._lock:
            queue.sources.discard(source)
            queue.waiting.discard(source)
            if queue.sources:
                return
            queue.index.forget()
            if self._open.get(queue.key) is queue:
                del self._open[queue.key]

    def _source_of(self, queue: "_OpenQueue", name: str) -> QueueAudioSource:
        source = QueueAudioSource(self, queue, self._type_of, name)
        queue.sources.add(source)
        return source

    def _look(self, key: bytes) -> "_Found":
        """Return what a queue begins and ends with. Raises `redis.RedisError` or `OSError`."""
        try:
            with self._client.pipeline(transaction=True) as pipeline:
                pipeline.xrange(key, count=FIRST_ENTRIES)
                pipeline.xrevrange(key, count=LAST_ENTRIES)
                first, last = pipeline.execute()
        except redis.ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            return _Found([], [], _no_queue())
        return _Found(_pieces_of(first), _pieces_of(reversed(last)))

    def _nudge(self) -> None:
        try:
            self._reader.nudge()
        except (redis.RedisError, OSError):
            logger.debug("The reader of queues could not be told of another one", exc_info=True)

    # Following

    def _follow(self) -> None:
        """Read all that comes, until no queue that is open here grows any more."""
        delay = look_at = 0.0
        while growing := self._growing():
            if delay:
                time.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - so that servers do not come all at once
            try:
                if time.monotonic() >= look_at:
                    self._compare_heads(growing.values())
                    if not look_at:
                        self._go_back(growing)
                    look_at = time.monotonic() + LOOK_SECONDS
                is_all = self._read_on({key: queue for key, queue in growing.items() if queue.index.grows})
            except Exception as error:  # noqa: BLE001 - nobody else would go on reading
                if not delay:
                    _complain(error)
                self._reader.disconnect()
                delay, look_at = min(max(delay * 2, FIRST_DELAY), LONGEST_DELAY), 0.0
                continue
            if delay:
                logger.info("Queues of audio can be read again")
                delay = 0.0
            # A socket that has more to read would let nobody else have a turn.
            time.sleep(PAUSE_SECONDS if is_all else 0)

    def _growing(self) -> "dict[bytes, _OpenQueue]":
        """Return the queues to be followed. If there are none, whoever follows is to end."""
        with self._lock:
            growing = {key: queue for key, queue in self._open.items() if queue.index.grows}
            self._following = bool(growing)
            if not growing:
                self._reader.disconnect()
            return growing

    def _read_on(self, growing: "dict[bytes, _OpenQueue]") -> bool:
        """Read what has come to some of the queues, and tell whether that may be all that there is."""
        if not growing:
            return False
        found = self._reader.read({key: queue.index.last_id for key, queue in growing.items()})
        doubtful = [growing[key] for key, pieces in found.items() if not growing[key].index.continues_with(pieces)]
        if doubtful:
            self._compare_heads(doubtful)
        with self._lock:
            for key, pieces in found.items():
                growing[key].index.take(pieces)
        return bool(found) and sum(map(len, found.values())) < ENTRIES_PER_READ

    def _compare_heads(self, queues: "Iterable[_OpenQueue]") -> None:
        """Find the queues that are not what they were."""
        by_key = {queue.key: queue for queue in queues}
        heads = self._reader.heads(list(by_key))
        with self._lock:
            for key, head in heads.items():
                by_key[key].index.problem = by_key[key].index.problem or _problem_of(head, by_key[key].index.head)

    def _go_back(self, growing: "dict[bytes, _OpenQueue]") -> None:
        """Read again what may have been lost: a Redis that has come back may have less than was read from it.

        Its ids come from a clock, which may be another machine's then: new entries need not be behind `last_id`.
        """
        last_ids = {key: queue.index.last_id for key, queue in growing.items() if queue.index.grows}
        lost = self._reader.lost_ends(last_ids)
        with self._lock:
            for key in lost:
                growing[key].index.read_again()
        if lost:
            logger.warning("Redis has lost the latest entries of %d queues of audio", len(lost))

    # Fetching

    def _fetch(self, queue: "_OpenQueue") -> None:
        """Fetch what is wanted of one queue, until nothing is."""
        while wanted := self._wanted(queue):
            problem: AudioUnavailable | None = None
            try:
                self._bring_in_time(queue, wanted)
            except AudioUnavailable as error:
                problem = error
            except Exception:
                logger.exception("Fetching audio of a queue failed")
                problem = AudioUnavailable("Fetching it failed.")
            with self._lock:
                queue.fetched(wanted, problem)
                waiting, queue.waiting = queue.waiting, set()
            for source in waiting:
                try:
                    source.on_arrival()
                except Exception:
                    logger.exception("Telling of the arrival of audio failed")

    def _wanted(self, queue: "_OpenQueue") -> list[int]:
        with self._lock:
            wanted = sorted(queue.wanted)[:MAX_WANTED] if queue.sources else []
            queue.fetching = bool(wanted)
            return wanted

    def _bring_in_time(self, queue: "_OpenQueue", wanted: list[int]) -> None:
        """Fetch blocks, as often as it takes while there is time. Raises `AudioUnavailable`."""
        end = time.monotonic() + self._patience_seconds
        delay = FIRST_DELAY
        while True:
            try:
                with self._fetches:
                    for number in wanted:
                        self._bring(queue, number)
            except (redis.RedisError, OSError) as error:
                if time.monotonic() + delay > end or not queue.sources:
                    raise AudioUnavailable(details_of(error)) from error
            else:
                return
            time.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - so that servers do not come all at once
            delay = min(delay * 2, LONGEST_DELAY)

    def _bring(self, queue: "_OpenQueue", number: int) -> None:
        """Fetch one block, unless it is there."""
        index = queue.index
        end = min((number + 1) * BLOCK_BYTES, index.size)
        while index.indexed < end and queue.sources:
            self._index_on(queue)
        with self._lock:
            if number >= index.whole_blocks or self._blocks.get(index, number) is not None:
                return
            entry_id, count = index.place(number), max(2, min(index.entries_per_block, ENTRIES_PER_READ))
        start = number * BLOCK_BYTES
        data = bytearray()
        while len(data) < BLOCK_BYTES:
            pieces = self._entries_from(queue, entry_id, count)
            fresh = stitch(pieces if not data else pieces[1:], start + len(data))
            if not fresh and len(pieces) == 1:
                raise _changed()
            data += fresh
            entry_id = pieces[-1].entry_id
        with self._lock:
            index.keep(start, data[: index.whole_blocks * BLOCK_BYTES - start])

    def _index_on(self, queue: "_OpenQueue") -> None:
        """Index some more of a queue whose end is known already."""
        index = queue.index
        pieces = self._entries_from(queue, index.last_id, ENTRIES_PER_READ)[1:]
        if not pieces:
            raise AudioUnavailable(f"The queue has no bytes {index.indexed} to {index.size - 1}.")
        with self._lock:
            index.take(pieces)
            if index.problem is not None:
                raise index.problem

    def _entries_from(self, queue: "_OpenQueue", entry_id: bytes, count: int) -> list[Piece]:
        """Return entries, the first of which was read before. Raises `AudioChanged` where it is there no more."""
        time.sleep(0)  # Let others have their turns.
        pieces = _pieces_of(self._client.xrange(queue.key, entry_id, "+", count))
        if not pieces or pieces[0].entry_id != entry_id:
            raise _changed() if pieces else _gone()
        return pieces


class _Found:
    """What was found where a queue is to be opened."""

    def __init__(self, first: list[Piece], last: list[Piece], problem: AudioUnavailable | None = None) -> None:
        self.first = first
        self.last = last
        self.problem = problem


class _OpenQueue:
    """A queue that somebody has open, and what they wait for: blocks by number."""

    def __init__(self, key: bytes, index: QueueIndex) -> None:
        self.key = key
        self.index = index
        self.sources: set[QueueAudioSource] = set()
        self.waiting: set[QueueAudioSource] = set()
        self.wanted: set[int] = set()
        self.fetching = False
        self._failed: dict[int, tuple[float, AudioUnavailable]] = {}

    def begin(self, found: _Found | None) -> None:
        """Take what was found when it was opened; nothing where Redis did not say."""
        if found is not None:
            self.index.problem = found.problem
            self.index.take(found.first)
            self.index.foresee(found.last)

    def is_the_one(self, found: _Found | None) -> bool:
        """Tell whether what was found is this making of the queue, as far as can be told."""
        index = self.index
        if index.problem is not None:
            return False
        if found is None or index.head is None:
            return True
        return bool(found.first) and found.first[0].mark == index.head

    def fetched(self, numbers: list[int], problem: AudioUnavailable | None) -> None:
        """Take note that blocks are there, or why they are not."""
        self.wanted.difference_update(numbers)
        if isinstance(problem, AudioChanged):
            self.index.problem = self.index.problem or problem
        elif problem is not None:
            self._failed.update(dict.fromkeys(numbers, (time.monotonic() + FAILURE_SECONDS, problem)))

    def raise_problem(self, numbers: list[int]) -> None:
        """Raise what stands against fetching these blocks."""
        if isinstance(self.index.problem, AudioChanged):
            raise self.index.problem
        for number in numbers:
            until, problem = self._failed.get(number, (0.0, None))
            if problem is not None and time.monotonic() < until:
                raise problem
            self._failed.pop(number, None)


def _complain(error: Exception) -> None:
    if isinstance(error, redis.RedisError | OSError):
        logger.warning("Queues of audio cannot be read now: %s", error)
    else:
        logger.error("Reading queues of audio failed", exc_info=error)


def _pieces_of(entries: Any) -> list[Piece]:
    return [piece_of(entry_id, fields) for entry_id, fields in entries]


def _problem_of(head: bytes, known: bytes | None) -> AudioUnavailable | None:
    """Return what is wrong with a queue that began with `known` (None: with nothing) and begins with `head`."""
    if head.startswith(b"!"):
        return _no_queue()
    if known is None or head == known:
        return None
    return _changed() if head else _gone()


def _no_queue() -> AudioUnavailable:
    return AudioUnavailable("Redis has no queue under that name, but something else.")


def _changed() -> AudioChanged:
    return AudioChanged("The queue was begun anew, or its beginning was deleted.")


def _gone() -> AudioChanged:
    return AudioChanged("The queue was deleted, has expired, or was lost by Redis.")


def _nobody_waits() -> None:
    pass
