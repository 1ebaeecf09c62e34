"""One opened queue, as defined by the port `AudioSource`."""

from collections.abc import Callable
from typing import Any

from asf.adapters.redis_store.pauses import Timing
from asf.adapters.redis_store.queues.fetcher import BlockFetcher
from asf.adapters.redis_store.queues.open_queue import OpenQueue
from asf.domain.errors import AudioUnavailable
from asf.domain.streaming.audio import UNKNOWN_CONTENT_TYPE
from asf.domain.streams.stream import AudioEnding

MEASURE_SECONDS = 10.0
"""How long a request for what exists waits until a queue that was just opened is indexed."""

MEASURE_PAUSE_SECONDS = 0.01

TypeOf = Callable[[str, bytes], str | None]
"""Returns the media type by the name, or else by the first bytes (either may be empty); None if unknown."""


class QueueAudioSource:
    """Implements the `AudioSource` port. `size` and `ending` are as of the last `refresh`.

    Reads through `fetcher`; `release` is called once, by `close`.
    """

    def __init__(
        self,
        queue: OpenQueue,
        name: str,
        type_of: TypeOf,
        fetcher: BlockFetcher,
        release: Callable[[OpenQueue, "QueueAudioSource"], None],
        timing: Timing,
    ) -> None:
        self._queue: OpenQueue | None = queue
        self._name = name
        self._type_of = type_of
        self._fetcher = fetcher
        self._release = release
        self._timing = timing
        self.on_arrival: Callable[[], None] = _ignore
        self.size = queue.index.size
        self.ending: AudioEnding | None = queue.index.ending

    @property
    def content_type(self) -> str:
        """The media type by the queue's name, or else by the first bytes."""
        return self._type_of(self._name, self._opened.index.beginning) or UNKNOWN_CONTENT_TYPE

    @property
    def identity(self) -> tuple[Any, ...]:
        """The key, the mark of the first entry, and the length."""
        queue = self._opened
        return (queue.key, queue.index.head, self.size)

    def read(self, offset: int, length: int) -> bytes | None:
        """Return exactly `length` bytes from `offset`, or None while they are fetched.

        Raises `AudioUnavailable`.
        """
        if offset + length > self.size:
            raise AudioUnavailable(f"The queue ends at byte {self.size}.")
        return self._fetcher.read(self._opened, self, offset, length)

    def is_current(self) -> bool:
        """Return False: that cannot be known without waiting."""
        return False

    def cancel(self, offset: int) -> None:
        """Fetch no block for `offset` that is not being fetched yet, unless it is needed elsewhere."""
        if self._queue is not None:
            self._fetcher.cancel(self._queue, self, offset)

    def refresh(self) -> int:
        """Return the current length. Raises `AudioChanged`, or `AudioUnavailable` for a queue with a bad entry."""
        index = self._opened.index
        if index.ending is None and index.problem is not None:
            raise index.problem
        self.size, self.ending = index.size, index.ending
        return self.size

    def measure(self) -> int:
        """Do as `refresh`, once all is indexed that the queue had when it was opened. May yield."""
        queue = self._opened
        end = self._timing.now() + MEASURE_SECONDS
        while queue.index.grows and queue.index.indexed < queue.opened_bytes:
            if self._timing.now() >= end:
                raise AudioUnavailable("The queue could not be read in time.")
            self._timing.sleep(MEASURE_PAUSE_SECONDS)
        return self.refresh()

    def finalize(self) -> int:
        """Return the same as `refresh`: the last entry of a queue says how it ended."""
        return self.refresh()

    def close(self) -> None:
        """Release the queue. Safe to repeat."""
        queue, self._queue = self._queue, None
        if queue is not None:
            self._release(queue, self)

    @property
    def _opened(self) -> OpenQueue:
        if self._queue is None:
            raise AudioUnavailable("It is closed.")
        return self._queue


def _ignore() -> None:
    pass
