"""Reads of single values by key, of which those that would wait together are one command."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Value = TypeVar("Value")

WAIT_SECONDS = 0.05
"""How long a command waits for the answer to the one before. One that is not answered does not hold up the others."""


class _Group(Generic[Value]):
    """The keys of one command, each with the place of its value. `is_done` is set when there are values or an error.

    Or neither, if the task that was to send the command has been ended.
    """

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.waiting = 0
        self.is_done = threading.Event()
        self.values: Sequence[Value] | None = None
        self.error: Exception | None = None


class GroupedReads(Generic[Value]):
    """Makes one command of the reads that begin while another is under way, for at most `wait_seconds`.

    So thousands who join the same stream at once are a few commands. Each read sees all that was stored before it
    began. `read` returns the values of some keys, in their order, for at most `most` of them; what it raises, all
    receive that wait for it. `waiting` is how many wait for their command to be sent.
    """

    def __init__(
        self, read: Callable[[Sequence[str]], Sequence[Value]], most: int, wait_seconds: float = WAIT_SECONDS
    ) -> None:
        self._read = read
        self._most = most
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._next: _Group[Value] | None = None
        self.waiting = 0

    def get(self, key: str) -> Value:
        """Return the value of `key`. Raises what `read` raises."""
        while True:
            group, is_first = self._join(key)
            if is_first:
                self._run(group)
            else:
                group.is_done.wait()
            if group.error is not None:
                raise group.error
            if group.values is not None:
                return group.values[group.places[key]]

    def _join(self, key: str) -> tuple[_Group[Value], bool]:
        """Return the group that will read `key`, and whether the caller is the first of it."""
        with self._lock:
            group = self._next
            is_first = group is None or (key not in group.places and len(group.places) == self._most)
            if group is None or is_first:
                group = self._next = _Group()
            group.places.setdefault(key, len(group.places))
            group.waiting += 1
            self.waiting += 1
        return group, is_first

    def _run(self, group: _Group[Value]) -> None:
        """Send the command when it is its turn, with all keys that have come by then."""
        has_turn = False
        try:
            has_turn = self._turn.acquire(timeout=self._wait_seconds)
            self._close(group)
            group.values = self._read(list(group.places))
        except Exception as error:  # noqa: BLE001 - raised by all who wait for it
            group.error = error
        finally:
            if has_turn:
                self._turn.release()
            self._close(group)
            group.is_done.set()

    def _close(self, group: _Group[Value]) -> None:
        """Let no further key come to the group."""
        with self._lock:
            self.waiting -= group.waiting
            group.waiting = 0
            if self._next is group:
                self._next = None
