"""Which worker a connection is for, as one of them sees it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from asf.adapters.workers.session_ids import Owner
from asf.adapters.workers.table import Row, State, WorkerTable

SLACK_SHARE = 32
"""A worker keeps a connection while it has at most one more than another, and a further one for each so many."""

BEAT_SECONDS = 1.0
"""Interval between two signs of life."""

BEHIND_SECONDS = 0.25
"""A worker that has received none of the connections under way to it for so long is sent no other, unless it alone
can serve that. It may have stopped, and its clients would wait until it is killed."""


@dataclass(frozen=True, slots=True)
class _Unreceived:
    """Connections under way to a worker that had `received` so many at `since`, in seconds of the monotonic clock."""

    received: int
    since: float


class Seat:
    """The worker `me`, in the table of all. `now` returns seconds of a monotonic clock."""

    def __init__(self, table: WorkerTable, me: Owner, now: Callable[[], float] = time.monotonic) -> None:
        self.table = table
        self.me = me
        self._now = now
        self._unreceived: dict[int, _Unreceived] = {}

    @property
    def is_draining(self) -> bool:
        """Whether this worker takes no new sessions."""
        return self.table.get(Row.STATE, self.me.slot) == State.DRAINING

    def set_state(self, state: State) -> None:
        """Let the other workers and the supervisor know what this one does."""
        self.table.set(Row.STATE, self.me.slot, state)

    def beat(self, pause: Callable[[float], object]) -> None:
        """Give the supervisor a sign of life every second, for ever: in a task, as long as the event loop runs it."""
        while True:
            self.table.count(Row.BEATS, self.me.slot)
            pause(BEAT_SECONDS)

    def has(self, owner: Owner) -> bool:
        """Return whether another worker that is there has the sessions of `owner`."""
        return (
            owner.slot != self.me.slot
            and owner.slot < self.table.slots
            and self.table.get(Row.GENERATION, owner.slot) == owner.generation
            and self.table.get(Row.STATE, owner.slot) in {State.READY, State.DRAINING}
        )

    def is_live(self, slot: int, generation: int) -> bool:
        """Return whether the worker of this generation is in a slot."""
        return self.table.get(Row.GENERATION, slot) == generation

    def live_others(self) -> list[int]:
        """Return the slots of the other workers that serve."""
        serving = {State.READY, State.DRAINING}
        return [slot for slot in self._others() if self.table.get(Row.STATE, slot) in serving]

    def listeners_beside(self) -> int:
        """Return how many listeners the other workers have if all of them drain, too; 0 while one takes new ones."""
        if any(self.table.get(Row.STATE, slot) == State.READY for slot in self._others()):
            return 0
        return sum(self.table.get(Row.LISTENERS, slot) for slot in self._others())

    def lighter(self) -> int | None:
        """Return the slot of the worker for a connection that any may serve; None if that is this one.

        That with the fewest connections and sessions, if this one has noticeably more, or is draining.
        """
        slot = self.lightest()
        if self.is_draining:  # What it keeps ends with it.
            return self.lightest(even_behind=True) if slot is None else slot
        if slot is None:
            return None
        load = self._load(slot)
        return slot if self._load(self.me.slot) > load + 1 + load // SLACK_SHARE else None

    def lightest(self, *, even_behind: bool = False) -> int | None:
        """Return the slot of the other worker with the fewest connections and sessions; None if none takes any.

        One that is behind with what it was sent takes none, unless `even_behind`.
        """
        ready = [
            slot
            for slot in self._others()
            if self.table.get(Row.STATE, slot) == State.READY
            and not self.table.get(Row.EXHAUSTED, slot)
            and (even_behind or not self._is_behind(slot))
        ]
        return min(ready, key=self._load, default=None)

    def note_sent(self, slot: int) -> None:
        """Count a connection that this worker sends to another, before it is sent."""
        self.table.note_sent(self.me.slot, slot, 1)
        self._is_behind(slot)

    def note_not_sent(self, slot: int) -> None:
        """Take back what `note_sent` has counted."""
        self.table.note_sent(self.me.slot, slot, -1)

    def note_exhausted(self, *, is_exhausted: bool) -> None:
        """Let the other workers know whether this one can open no further file."""
        self.table.set(Row.EXHAUSTED, self.me.slot, is_exhausted)

    def _is_behind(self, slot: int) -> bool:
        """Return whether a worker has received nothing of what is under way to it for too long."""
        if not self.table.under_way_to(slot):
            self._unreceived.pop(slot, None)
            return False
        received = self.table.get(Row.RECEIVED, slot)
        waiting = self._unreceived.get(slot)
        if waiting is None or waiting.received != received:
            self._unreceived[slot] = _Unreceived(received, self._now())
            return False
        return self._now() - waiting.since > BEHIND_SECONDS

    def _others(self) -> list[int]:
        return [slot for slot in range(self.table.slots) if slot != self.me.slot]

    def _load(self, slot: int) -> int:
        table = self.table
        return table.get(Row.CONNECTIONS, slot) + table.get(Row.SOCKETIO_CONNECTIONS, slot) + table.under_way_to(slot)
