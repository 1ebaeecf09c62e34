"""The events that have yet to be delivered: in what order, how many, when again and for how long."""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from asf.domain.webhooks.event import StreamEvent

FIRST_PAUSE_SECONDS = 1.0
"""Pause before the second attempt. Each further one is twice as long."""

LONGEST_PAUSE_SECONDS = 60.0
"""Longest pause between two attempts, unless the receiver asks for a longer one."""

LONGEST_REQUESTED_SECONDS = 300.0
"""Longest pause that a receiver can ask for."""


@dataclass(eq=False, slots=True)
class Delivery:
    """One event that is being delivered: added at `since`, in seconds of the clock, after `attempts` that failed."""

    event: StreamEvent
    event_id: str
    since: float
    attempts: int = 0


class Outbox:
    """At most `max_events` events, each of which is attempted for at most `retry_seconds`.

    Events of one stream are delivered in order; those of different streams do not wait for each other. `jitter`
    returns a factor, 0.5 to 1, for each pause. Times are in seconds of the clock. Not thread-safe.
    """

    def __init__(self, max_events: int, retry_seconds: float, jitter: Callable[[], float]) -> None:
        self._max_events = max_events
        self._retry_seconds = retry_seconds
        self._jitter = jitter
        # The deliveries of each stream, in order. Only the first one is attempted.
        self._queues: dict[str, deque[Delivery]] = {}
        self._numbers = count()
        # When the first delivery of each stream is due, unless it is being attempted: a heap.
        self._due: list[tuple[float, int, str]] = []
        self._size = 0
        self._untried = 0

    def __len__(self) -> int:
        """Return how many events there are, including those that are being attempted."""
        return self._size

    @property
    def untried(self) -> int:
        """How many events have not been attempted to the end yet."""
        return self._untried

    @property
    def next_time(self) -> float | None:
        """When the next attempt is due; None while there is nothing to attempt."""
        return self._due[0][0] if self._due else None

    def add(self, event: StreamEvent, event_id: str, now: float) -> bool:
        """Add an event behind the others of its stream. Returns False, and drops it, when there are too many."""
        if self._size >= self._max_events:
            return False
        queue = self._queues.get(event.stream_id)
        if queue is None:
            queue = self._queues[event.stream_id] = deque()
            self._schedule(event.stream_id, now)
        queue.append(Delivery(event, event_id, now))
        self._size += 1
        self._untried += 1
        return True

    def take(self, now: float) -> Delivery | None:
        """Return a delivery to attempt now, or None. Pair every call with `succeed` or `fail`."""
        if not self._due or self._due[0][0] > now:
            return None
        _, _, stream_id = heapq.heappop(self._due)
        return self._queues[stream_id][0]

    def succeed(self, delivery: Delivery, now: float) -> None:
        """Remove a delivery that was attempted with success."""
        self._count_attempt(delivery)
        self._remove(delivery, now)

    def fail(self, delivery: Delivery, now: float, pause: float | None = None, *, final: bool = False) -> bool:
        """Record a failed attempt, and return whether there will be another one.

        There is none if that was `final`, or if the next one would be later than `retry_seconds` after the event was
        added. The receiver may have asked for a `pause`, in seconds.
        """
        self._count_attempt(delivery)
        doublings = min(delivery.attempts - 1, 32)
        own_pause = min(FIRST_PAUSE_SECONDS * 2**doublings, LONGEST_PAUSE_SECONDS) * self._jitter()
        due = now + max(own_pause, min(pause or 0.0, LONGEST_REQUESTED_SECONDS))
        if final or due > delivery.since + self._retry_seconds:
            self._remove(delivery, now)
            return False
        self._schedule(delivery.event.stream_id, due)
        return True

    def _count_attempt(self, delivery: Delivery) -> None:
        self._untried -= delivery.attempts == 0
        delivery.attempts += 1

    def _remove(self, delivery: Delivery, now: float) -> None:
        stream_id = delivery.event.stream_id
        queue = self._queues[stream_id]
        queue.popleft()
        self._size -= 1
        if queue:
            self._schedule(stream_id, now)
        else:
            del self._queues[stream_id]

    def _schedule(self, stream_id: str, due: float) -> None:
        heapq.heappush(self._due, (due, next(self._numbers), stream_id))
