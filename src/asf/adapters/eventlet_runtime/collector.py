"""Python's cyclic garbage collector, with pauses that no client notices.

By default it visits all objects again whenever their number has grown by a quarter: half a second with three thousand
connections, during which the event loop does nothing else. Here it visits young objects only: those that survive
are exempt from then on (`gc.freeze`). Objects without references are freed all the same; what is lost are cycles that
have become garbage after that, of which this service makes next to none. They are collected when they matter.
"""

import gc
import logging
import sys
from collections.abc import Callable

YOUNG_OBJECTS = 25_000
YOUNG_COLLECTIONS = 1
"""Net allocations before a collection of the youngest objects, and how many collections before the survivors are
visited once more, and then exempt: a few milliseconds at most."""

BLOCKS_PER_CONNECTION = 500
"""Upper bound of the memory blocks of Python that one connection needs, with its session and its task."""

UNEXPLAINED_BLOCKS = 1_000_000
"""Growth in blocks that connections do not explain after which all objects are visited: some 80 MB."""

CHECK_SECONDS = 0.5
"""Interval between checks whether that is so, and between collections that do not wait for net allocations: while old
objects are freed, these count as few although many young ones survive."""

logger = logging.getLogger(__name__)


class Collector:
    """Exempts survivors from collections. `connections` returns how many connections are open."""

    def __init__(
        self, connections: Callable[[], int], allocated_blocks: Callable[[], int] = sys.getallocatedblocks
    ) -> None:
        self._connections = connections
        self._allocated_blocks = allocated_blocks
        # Blocks without those of connections that were in use after a full collection. What connections need is
        # estimated too high, so while there are many this would be too low.
        self._in_use = 0

    def start(self) -> None:
        """Exempt all current objects, and from now on each that survives two collections."""
        self._collect_all()
        gc.set_threshold(YOUNG_OBJECTS, YOUNG_COLLECTIONS)
        gc.callbacks.append(_exempt_survivors)

    def stop(self) -> None:
        """Exempt no further objects."""
        gc.callbacks.remove(_exempt_survivors)

    def watch(self, pause: Callable[[float], object]) -> None:
        """Visit young objects and check, every `CHECK_SECONDS`, forever.

        `pause` suspends the calling task for the seconds it is passed.
        """
        while True:
            pause(CHECK_SECONDS)
            gc.collect(1)
            self.check()

    def check(self) -> None:
        """Visit all objects, exempt ones as well, if there are many that connections do not explain."""
        if self._unexplained() - self._in_use < UNEXPLAINED_BLOCKS:
            return
        found = self._collect_all()
        logger.info("garbage collected objects=%d", found)

    def _collect_all(self) -> int:
        gc.unfreeze()
        found = gc.collect()
        gc.freeze()
        self._in_use = max(self._in_use, self._unexplained())
        return found

    def _unexplained(self) -> int:
        return self._allocated_blocks() - BLOCKS_PER_CONNECTION * self._connections()


def _exempt_survivors(phase: str, info: dict[str, int]) -> None:
    if phase == "stop" and info["generation"] > 0:
        gc.freeze()
