"""Green threads, for adapters that know nothing of the runtime."""

from collections.abc import Callable

import eventlet


def start(work: Callable[[], object]) -> None:
    """Begin `work` in a green thread of its own, as soon as whoever calls this waits for something."""
    eventlet.spawn(work)
