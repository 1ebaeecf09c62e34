"""Reads that would wait together are one command, and each sees what was stored before it."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from asf.adapters.redis_store.grouped_reads import GroupedReads
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import eventually

MOST = 3


class Store:
    """Answers commands only when it is told to. `commands` has the keys of each; one that has "a" raises `error`."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.commands: list[Sequence[str]] = []
        self.error: BaseException | None = None
        self._answers = threading.Semaphore(0)

    def read(self, keys: Sequence[str]) -> list[int]:
        """Return the values at the time of the answer."""
        self.commands.append(keys)
        assert self._answers.acquire(timeout=PATIENCE_SECONDS)
        if "a" in keys and self.error is not None:
            error, self.error = self.error, None
            raise error
        return [self.values.get(key, 0) for key in keys]

    def answer(self, times: int = 1) -> None:
        """Answer so many commands, that are or will be under way."""
        self._answers.release(times)


class Readers:
    """Threads that read, in the order in which they came."""

    def __init__(self, store: Store, wait_seconds: float = PATIENCE_SECONDS) -> None:
        self.reads = GroupedReads(store.read, MOST, wait_seconds)
        self._store = store
        self._pool = ThreadPoolExecutor(20)

    def occupy(self) -> None:
        """Let a command be under way."""
        self._pool.submit(self.reads.get, "other")
        eventually(lambda: self._store.commands)

    def begin(self, key: str) -> "Future[int]":
        """Begin to read."""
        return self._pool.submit(self.reads.get, key)

    def get(self, *keys: str) -> "list[Future[int]]":
        """Begin to read, one after the other, while no command can be sent."""
        reading = []
        for number, key in enumerate(keys, 1):
            reading.append(self.begin(key))
            eventually(partial(self._wait, number))
        return reading

    def _wait(self, number: int) -> bool:
        return self.reads.waiting == number


@pytest.fixture
def store() -> Store:
    """Return a store that does not answer yet."""
    return Store()


def test_a_read_that_need_not_wait_is_a_command_of_its_own(store: Store) -> None:
    """Nothing is delayed for the sake of others."""
    store.values["a"] = 1
    store.answer(2)
    reads = GroupedReads(store.read, MOST)
    assert [reads.get("a"), reads.get("b")] == [1, 0]
    assert store.commands == [["a"], ["b"]]


def test_reads_that_wait_are_one_command(store: Store) -> None:
    """With each key once; what is stored before the command is seen by all."""
    readers = Readers(store)
    readers.occupy()
    reading = readers.get("a", "b", "a", "c")
    store.values |= {"a": 1, "b": 2, "c": 3}
    store.answer(2)
    assert [read.result(PATIENCE_SECONDS) for read in reading] == [1, 2, 1, 3]
    assert store.commands[1:] == [["a", "b", "c"]]


def test_a_command_has_at_most_so_many_keys(store: Store) -> None:
    """Further ones are for the next."""
    readers = Readers(store)
    readers.occupy()
    reading = readers.get(*"abcde")
    store.answer(3)
    for read in reading:
        read.result(PATIENCE_SECONDS)
    assert sorted(map(list, store.commands[1:])) == [["a", "b", "c"], ["d", "e"]]


def test_all_that_wait_receive_the_error(store: Store) -> None:
    """And the next read is as if nothing had happened."""
    readers = Readers(store)
    readers.occupy()
    reading = readers.get("a", "b")
    store.error = ConnectionError("gone")
    store.answer(3)
    for read in reading:
        with pytest.raises(ConnectionError):
            read.result(PATIENCE_SECONDS)
    assert readers.reads.get("a") == 0


def test_a_task_that_is_ended_leaves_the_others_their_values(store: Store) -> None:
    """They send the command again."""
    readers = Readers(store)
    readers.occupy()
    reading = readers.get("a", "b")
    store.values |= {"a": 1, "b": 2}
    store.error = KeyboardInterrupt()
    store.answer(3)
    with pytest.raises(KeyboardInterrupt):
        reading[0].result(PATIENCE_SECONDS)
    assert reading[1].result(PATIENCE_SECONDS) == 2
    assert readers.reads.waiting == 0


def test_a_command_that_is_not_answered_does_not_hold_up_others(store: Store) -> None:
    """They are sent after a while, and answered."""
    readers = Readers(store, wait_seconds=0.01)
    readers.occupy()
    reading = readers.begin("a")
    eventually(lambda: len(store.commands) == 2)
    store.answer(2)
    assert reading.result(PATIENCE_SECONDS) == 0
