"""Expiries: callbacks with one deadline each, which end access when its token expires."""

from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush
from itertools import count

SPARE_ENTRIES = 64
"""Outdated entries that the heap may hold beyond the number of pending ones, before it is compacted."""

ENDS_PER_TURN = 32
"""Maximum callbacks in one turn of the pump, before the other tasks of the process run."""


class Expiries:
    """Calls a callback for each key at its time: a `Timer` of the pump, with one heap for all.

    A removed entry stays in the heap until it reaches the top, or until outdated entries are in the majority. So
    every operation takes the (amortized) time of a heap operation, and memory is proportional to the pending entries.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Hashable]] = []
        self._pending: dict[Hashable, tuple[int, Callable[[], object]]] = {}
        self._numbers = count()

    def __len__(self) -> int:
        """Return how many callbacks are pending."""
        return len(self._pending)

    @property
    def next_time(self) -> float | None:
        """When the next callback is due, in seconds of the clock; None when none is pending."""
        return self._heap[0][0] if self._heap else None

    def put(self, key: Hashable, time: float, end: Callable[[], object]) -> None:
        """Call `end` at `time`, in seconds of the clock. Replaces an earlier callback for `key`."""
        number = next(self._numbers)
        self._pending[key] = (number, end)
        heappush(self._heap, (time, number, key))
        self._compact()

    def remove(self, key: Hashable) -> None:
        """Cancel the callback for `key`. An unknown key is ignored."""
        if self._pending.pop(key, None) is not None:
            self._compact()

    def fire(self, now: float) -> None:
        """Call what is due by `now`, the earliest first, at most `ENDS_PER_TURN` callbacks; the rest stays due."""
        for _ in range(ENDS_PER_TURN):
            if (time := self.next_time) is None or time > now:
                break
            key = heappop(self._heap)[2]
            _, end = self._pending.pop(key)
            self._compact()
            end()

    def _compact(self) -> None:
        """Keep a pending entry at the top of the heap, and outdated entries in the minority."""
        if len(self._heap) > 2 * len(self._pending) + SPARE_ENTRIES:
            self._heap = [entry for entry in self._heap if self._is_pending(entry)]
            heapify(self._heap)
        while self._heap and not self._is_pending(self._heap[0]):
            heappop(self._heap)

    def _is_pending(self, entry: tuple[float, int, Hashable]) -> bool:
        _, number, key = entry
        return key in self._pending and self._pending[key][0] == number
