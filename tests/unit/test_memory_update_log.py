"""The update log in memory keeps its port's promises, and its bounds."""

import tracemalloc
from collections.abc import Callable
from itertools import count

import pytest

from asf.adapters import memory_update_log
from asf.adapters.memory_update_log import InMemoryUpdateLog
from asf.domain.updates.update import EVERYTHING, UiUpdate
from tests.contracts.update_log import MAX_SECONDS, MAX_UPDATES, START, UpdateLogContract


def make_memory_log(max_updates: int = MAX_UPDATES, max_bytes: int = 64 * 1024 * 1024) -> InMemoryUpdateLog:
    """Return an empty log."""
    epochs = count(1)
    return InMemoryUpdateLog(max_updates, MAX_SECONDS, lambda: f"epoch-{next(epochs)}", max_bytes)


class TestInMemoryUpdateLog(UpdateLogContract):
    """The contract."""

    @pytest.fixture
    def make_log(self) -> Callable[[], InMemoryUpdateLog]:
        return make_memory_log


def test_all_clients_together_are_bounded() -> None:
    """The oldest updates of all clients are evicted first; the numbers continue."""
    log = make_memory_log(max_updates=1000, max_bytes=100_000)
    for number in range(300):
        log.append(UiUpdate(f"client-{number % 3}", "progress", "x" * 600), START + number, START + number)
        assert 0 < log.kept_bytes <= 100_000
    kept = [log.recover(f"client-{number}", EVERYTHING, START + 300).updates for number in range(3)]
    assert [updates[-1].seq for updates in kept] == [100, 100, 100]
    assert all(10 < len(updates) < 60 for updates in kept)


def test_what_is_too_old_takes_no_memory() -> None:
    """It is evicted with the next one, of any client."""
    log = make_memory_log()
    log.append(UiUpdate("alice", "progress", "x" * 5000), START, START)
    log.append(UiUpdate("bob", "progress", 1), START + MAX_SECONDS, START + MAX_SECONDS)
    assert log.kept_bytes < 5000


def test_reads_take_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Subscribers of any number of clients without updates evict nothing."""
    monkeypatch.setattr(memory_update_log, "MAX_CLIENTS", 2)
    log = make_memory_log()
    kept = log.append(UiUpdate("alice", "progress", 1), START, START).update
    for number in range(1000):
        log.recover(f"client-{number}", EVERYTHING, START)
    assert log.recover("alice", EVERYTHING, START).updates == (kept,)


def test_the_bytes_that_are_counted_are_not_less_than_those_that_are_taken() -> None:
    """In the worst case: many clients with one update each, and long names of wide characters."""
    log = make_memory_log()
    tracemalloc.start()
    try:
        for number in range(2000):
            log.append(
                UiUpdate(f"{number}" + "\N{PARTY POPPER}" * 200, "\N{PARTY POPPER}" * 200, number), START, START
            )
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / 1.6 < log.kept_bytes < taken * 1.6


def test_an_update_that_is_larger_than_all_that_may_be_kept_is_numbered_all_the_same() -> None:
    """Live subscribers get it; it cannot be recovered."""
    log = make_memory_log(max_bytes=1000)
    assert log.append(UiUpdate("alice", "progress", "x" * 2000), START, START).update.seq == 1
    assert log.kept_bytes == 0
    assert log.append(UiUpdate("alice", "progress", 1), START, START).update.seq == 2


def test_the_number_of_clients_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client without an update for longest starts another epoch."""
    monkeypatch.setattr(memory_update_log, "MAX_CLIENTS", 2)
    log = make_memory_log()
    first = log.append(UiUpdate("alice", "progress", 1), START, START).update
    for client_id in ("bob", "carol"):
        log.append(UiUpdate(client_id, "progress", 1), START, START)
    again = log.append(UiUpdate("alice", "progress", 1), START, START).update
    assert (first.seq, again.seq) == (1, 1)
    assert first.epoch != again.epoch


def test_the_number_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are evicted first."""
    monkeypatch.setattr(memory_update_log, "MAX_KEYS", 2)
    log = make_memory_log()
    for key in ("one", "two", "three"):
        log.append(UiUpdate("alice", "progress", key, key), START, START)
    assert log.append(UiUpdate("alice", "progress", "three", "three"), START, START).duplicate
    assert log.append(UiUpdate("alice", "progress", "two", "two"), START, START).duplicate
    assert not log.append(UiUpdate("alice", "progress", "one", "one"), START, START).duplicate


@pytest.mark.parametrize("hours", [3, -3])
def test_nothing_expires_by_a_change_of_the_wall_clock(hours: float) -> None:
    """Neither updates nor keys; and both do, in their time, after it."""
    log = make_memory_log()
    shifted = START + hours * 3600
    kept = log.append(UiUpdate("alice", "progress", 1, "key"), START, 100.0).update
    later = log.append(UiUpdate("alice", "progress", 2), shifted, 101.0).update
    assert log.append(UiUpdate("alice", "progress", 1, "key"), shifted, 102.0).duplicate
    assert log.recover("alice", EVERYTHING, 103.0).updates == (kept, later)
    assert log.recover("alice", EVERYTHING, 100.5 + MAX_SECONDS).updates == (later,)
    assert not log.append(UiUpdate("alice", "progress", 1, "key"), shifted, 401.0).duplicate
