"""The garbage collector: what survives is not visited again, and what would be lost by that is found in the end."""

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from asf.adapters.eventlet_runtime.collector import (
    BLOCKS_PER_CONNECTION,
    UNEXPLAINED_BLOCKS,
    YOUNG_COLLECTIONS,
    YOUNG_OBJECTS,
    Collector,
)


class Server:
    """What the collector looks at."""

    def __init__(self) -> None:
        self.connections = 0
        self.blocks = 0
        self.collector = Collector(lambda: self.connections, lambda: self.blocks)


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server whose collector has started; afterwards the process's own is as before."""
    thresholds = gc.get_threshold()
    server = Server()
    server.collector.start()
    yield server
    server.collector.stop()
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Node:
    """An object that may be part of a cycle."""

    def __init__(self) -> None:
        self.other: Node | None = None


def cycle() -> "weakref.ref[Node]":
    """Make garbage that only a collector frees."""
    return weakref.ref(_linked())


def surviving_cycle() -> "weakref.ref[Node]":
    """Make such garbage of objects that have survived before."""
    one = _linked()
    survive()
    return weakref.ref(one)


def _linked() -> Node:
    one, other = Node(), Node()
    one.other, other.other = other, one
    return one


def survive() -> None:
    """Let the collector do what it does after so many allocations."""
    gc.collect(1)


def test_no_collection_visits_what_has_survived(server: Server) -> None:
    """However much there is: a collection of all generations visits young objects only."""
    assert server.blocks == 0
    kept = [[number] for number in range(1000)]
    survive()
    assert gc.get_count()[2] == 0
    assert not any(one is kept for generation in range(3) for one in gc.get_objects(generation))


def test_at_most_some_thousand_objects_are_visited_at_once(server: Server) -> None:
    """By the collections that happen by themselves, while all objects survive."""
    visited: list[int] = []

    def count(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and threading.current_thread() is threading.main_thread():
            visited.append(sum(len(gc.get_objects(generation)) for generation in range(info["generation"] + 1)))

    gc.callbacks.append(count)
    try:
        kept = [[number] for number in range(20 * YOUNG_OBJECTS)]
    finally:
        gc.callbacks.remove(count)
    assert kept
    assert server.connections == 0
    assert len(visited) >= 10
    assert max(visited) <= (YOUNG_COLLECTIONS + 3) * YOUNG_OBJECTS


@pytest.mark.usefixtures("server")
def test_young_garbage_is_collected() -> None:
    """As ever."""
    node = cycle()
    survive()
    assert node() is None


def test_garbage_among_survivors_is_collected_when_much_memory_is_unexplained(server: Server) -> None:
    """Memory that connections explain is no reason, however much it is."""
    node = surviving_cycle()
    server.connections = 10_000
    server.blocks = UNEXPLAINED_BLOCKS + BLOCKS_PER_CONNECTION * server.connections - 1
    server.collector.check()
    assert node() is not None
    server.blocks += 1
    server.collector.check()
    assert node() is None


def test_connections_that_end_are_no_growth(server: Server) -> None:
    """What they needed is estimated too high. After all objects have been visited, growth begins again."""
    node = surviving_cycle()
    server.connections, server.blocks = 10_000, BLOCKS_PER_CONNECTION * 5_000
    server.collector.check()
    server.connections, server.blocks = 0, UNEXPLAINED_BLOCKS - 1
    server.collector.check()
    assert node() is not None
    server.blocks += 1
    server.collector.check()
    assert node() is None
    later = Node()
    later.other = later
    node = weakref.ref(later)
    survive()
    del later
    server.blocks += UNEXPLAINED_BLOCKS - 1
    server.collector.check()
    assert node() is not None
    server.blocks += 1
    server.collector.check()
    assert node() is None


def test_it_watches_for_good(server: Server) -> None:
    """A check after each pause."""
    node = cycle()
    gc.freeze()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        server.blocks += UNEXPLAINED_BLOCKS
        if len(pauses) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        server.collector.watch(pause)
    assert node() is None
