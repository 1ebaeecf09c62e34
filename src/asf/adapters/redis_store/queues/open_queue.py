"""The queues that are open in this process, and the blocks that are waited for."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from asf.adapters.redis_store.queues.entries import Piece
from asf.adapters.redis_store.queues.index import QueueIndex
from asf.domain.errors import AudioChanged, AudioUnavailable

FAILURE_SECONDS = 1.0
"""How long reads of audio that could not be fetched fail at once, before it is fetched again."""


@dataclass(frozen=True, slots=True)
class QueueEnds:
    """The first and the last entries of a queue, read when it is opened; or the problem with its key."""

    first: list[Piece]
    last: list[Piece]
    problem: AudioUnavailable | None = None


class Reader(Protocol):
    """An opened source: `on_arrival` is called when a fetch that it waits for has succeeded or failed."""

    @property
    def on_arrival(self) -> Callable[[], None]:
        """The callback."""
        ...


class OpenQueue:
    """A queue with its index, the sources that have it open, and the blocks that they wait for.

    `wanted` has the number of each of these blocks, with the readers and the offsets of the reads that need it.
    `opened_bytes` is how many bytes the queue had when it was opened; the index reaches them soon after.
    """

    def __init__(self, key: bytes, index: QueueIndex) -> None:
        self.key = key
        self.index = index
        self.readers: set[Reader] = set()
        self.waiting: set[Reader] = set()
        self.wanted: dict[int, set[tuple[Reader, int]]] = {}
        self.opened_bytes = 0
        self.fetching = False
        self._failed: dict[int, tuple[float, AudioUnavailable]] = {}

    def start_with(self, ends: QueueEnds | None) -> None:
        """Index what was read when the queue was opened; None: Redis did not respond."""
        if ends is not None:
            self.index.problem = ends.problem
            self.index.take(ends.first)
            self.index.foresee(ends.last)
            self.opened_bytes = max((piece.offset + len(piece.audio) for piece in ends.last), default=0)

    def is_same(self, ends: QueueEnds | None) -> bool:
        """Return whether `ends` are those of this queue rather than of one created later, as far as known."""
        index = self.index
        if index.problem is not None:
            return False
        if ends is None or index.head is None:
            return True
        return bool(ends.first) and ends.first[0].mark == index.head

    def want(self, numbers: list[int], reader: Reader, offset: int) -> None:
        """Record that a reader's read at `offset` needs blocks, and waits."""
        for number in numbers:
            self.wanted.setdefault(number, set()).add((reader, offset))
        self.waiting.add(reader)

    def cancel(self, reader: Reader, offset: int | None = None) -> None:
        """Record that a reader's read at `offset` (None: all its reads) needs no blocks any more."""
        for number, reads in list(self.wanted.items()):
            reads.difference_update([read for read in reads if read[0] is reader and offset in {None, read[1]}])
            if not reads:
                del self.wanted[number]

    def leave(self, reader: Reader) -> None:
        """Record that a source was closed."""
        self.readers.discard(reader)
        self.waiting.discard(reader)
        self.cancel(reader)

    def fetched(self, numbers: list[int], problem: AudioUnavailable | None, now: float) -> None:
        """Record that blocks were fetched, or why not. Those that nobody wants any more may not have been."""
        numbers = [number for number in numbers if self.wanted.pop(number, None)]
        if isinstance(problem, AudioChanged):
            self.index.problem = self.index.problem or problem
        elif problem is not None:
            self._failed.update(dict.fromkeys(numbers, (now + FAILURE_SECONDS, problem)))

    def raise_problem(self, numbers: list[int], now: float) -> None:
        """Raise the error of these blocks, if there is one that still holds."""
        if isinstance(self.index.problem, AudioChanged):
            raise self.index.problem
        for number in numbers:
            until, problem = self._failed.get(number, (0.0, None))
            if problem is not None and now < until:
                raise problem
            self._failed.pop(number, None)


class OpenQueues:
    """The queues that were opened as growing, by key.

    `lock` guards them and their indexes. It is never held across anything that waits.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._queues: dict[bytes, OpenQueue] = {}

    def __len__(self) -> int:
        """Return the number of queues."""
        return len(self._queues)

    def __contains__(self, key: bytes) -> bool:
        """Return whether a queue with this key is open."""
        return key in self._queues

    def get(self, key: bytes) -> OpenQueue | None:
        """Return the queue with this key."""
        return self._queues.get(key)

    def add(self, queue: OpenQueue) -> None:
        """Add a queue, or replace the one with its key."""
        self._queues[queue.key] = queue

    def remove(self, queue: OpenQueue) -> None:
        """Remove a queue, unless another one has replaced it."""
        if self._queues.get(queue.key) is queue:
            del self._queues[queue.key]

    def growing(self) -> dict[bytes, OpenQueue]:
        """Return those that may still grow."""
        return {key: queue for key, queue in self._queues.items() if queue.index.grows}
