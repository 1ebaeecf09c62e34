"""Things that end at a time that is known beforehand."""

from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush
from itertools import count

SPARE_ENTRIES = 64
"""Entries of things that ended earlier, which the heap may hold beyond as many as there are others."""

ENDS_PER_TURN = 32
"""Things ended in one turn of the pump, before everything else of the process gets its turn."""


class Expiries:
    """Ends each thing at its time: a `Timer` of the pump, with one heap for all.

    A thing is known by a key. What is removed stays in the heap until it comes to the top or is in the majority, so
    that every operation takes the time of a heap operation, and the memory is that of what is still to end.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Hashable]] = []
        self._pending: dict[Hashable, tuple[int, Callable[[], object]]] = {}
        self._numbers = count()

    def __len__(self) -> int:
        """Return how many things are to end."""
        return len(self._pending)

    @property
    def next_time(self) -> float | None:
        """When the next thing ends, in seconds of the clock; None when nothing is to end."""
        return self._heap[0][0] if self._heap else None

    def put(self, key: Hashable, time: float, end: Callable[[], object]) -> None:
        """Call `end` at `time`, in seconds of the clock, in place of what was to be called for `key` before."""
        number = next(self._numbers)
        self._pending[key] = (number, end)
        heappush(self._heap, (time, number, key))
        self._tidy()

    def remove(self, key: Hashable) -> None:
        """Call nothing for `key` any more. An unknown one does no harm."""
        if self._pending.pop(key, None) is not None:
            self._tidy()

    def fire(self, now: float) -> None:
        """End what is to end by `now`, the earliest first, or some of it where it is much: `next_time` tells."""
        for _ in range(ENDS_PER_TURN):
            if (time := self.next_time) is None or time > now:
                break
            key = heappop(self._heap)[2]
            _, end = self._pending.pop(key)
            self._tidy()
            end()

    def _tidy(self) -> None:
        """Keep what is still to end at the top of the heap, and in its majority."""
        if len(self._heap) > 2 * len(self._pending) + SPARE_ENTRIES:
            self._heap = [entry for entry in self._heap if self._is_pending(entry)]
            heapify(self._heap)
        while self._heap and not self._is_pending(self._heap[0]):
            heappop(self._heap)

    def _is_pending(self, entry: tuple[float, int, Hashable]) -> bool:
        _, number, key = entry
        return key in self._pending and self._pending[key][0] == number
