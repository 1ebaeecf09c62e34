"""Sockets that do not wait for all that were ready before them."""

from typing import Any

from eventlet import patcher

MAX_SOCKETS = 1000
"""Maximum number of sockets that have precedence: looking at them takes less than a millisecond. Others wait."""

_select: Any = patcher.original("select")


class Precedence:
    """Sockets whose tasks run in each round of the event loop in which they are ready, however many others are.

    Those on which requests arrive: else a health check would wait until the ends of thousands of connections were
    handled, for example.
    """

    def __init__(self) -> None:
        self._poll = _select.poll()
        self._descriptors: set[int] = set()

    def add(self, descriptor: int) -> None:
        """Give a descriptor precedence, if there is room for it."""
        if len(self._descriptors) < MAX_SOCKETS and descriptor >= 0:
            self._descriptors.add(descriptor)
            self._poll.register(descriptor, _select.POLLIN)

    def discard(self, descriptor: int) -> None:
        """Let a descriptor wait like all others. Must be called before it is closed. Safe to repeat."""
        if descriptor in self._descriptors:
            self._descriptors.remove(descriptor)
            self._poll.unregister(descriptor)

    def ready(self, most: int) -> list[tuple[int, int]]:
        """Return at most so many of those that can be read now, each with `POLLIN`. Does not wait."""
        found = self._poll.poll(0) if self._descriptors else []
        return [(descriptor, _select.POLLIN) for descriptor, event in found if event & _select.POLLIN][:most]


PRECEDENCE = Precedence()
"""The sockets of this process's event loop that have precedence."""
