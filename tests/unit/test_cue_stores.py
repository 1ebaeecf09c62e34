"""The stores of cues keep their port's contract, and what SQLite stores survives."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from asf.adapters import sqlite_cues
from asf.adapters.blocking_calls import BlockingCalls
from asf.adapters.memory_cues import InMemoryCueStore
from asf.adapters.sqlite_cues import DELETED_AT_ONCE, SqliteCueStore, failure_of
from asf.domain.cues.track import TrackLimits
from asf.domain.errors import CuesUnavailable
from tests.contracts.cue_store import EPOCH, LIMITS, STREAM, CueStoreContract, all_of, cue
from tests.support.processes import eventually
from tests.support.threads_runtime import ThreadsRuntime


def at_once(work: Callable[[], Any]) -> Any:
    """Run what blocks in the calling thread."""
    return work()


class TestInMemoryCueStore(CueStoreContract):
    """The contract, in memory."""

    @pytest.fixture
    def make_store(self) -> Callable[[], InMemoryCueStore]:
        return InMemoryCueStore


class TestSqliteCueStore(CueStoreContract):
    """The contract, on databases in files, with worker threads."""

    @pytest.fixture
    def make_store(self, tmp_path: Path) -> Iterator[Callable[[], SqliteCueStore]]:
        stores: list[SqliteCueStore] = []

        def make() -> SqliteCueStore:
            path = tmp_path / "var" / f"{len(stores)}.cues"
            stores.append(SqliteCueStore(str(path), BlockingCalls(ThreadsRuntime(), failure_of).run))
            return stores[-1]

        yield make
        for store in stores:
            store.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return where a database may be made."""
    return str(tmp_path / "asf.cues")


def test_cues_survive(path: str) -> None:
    """A restart, after a close or without one."""
    first = SqliteCueStore(path, at_once)
    first.append(STREAM, EPOCH, [cue(1, text="ü")], LIMITS)
    second = SqliteCueStore(path, at_once)
    assert all_of(second) == [(1, cue(1, text="ü").json)]
    first.close()
    assert second.append(STREAM, EPOCH, [cue(2)], LIMITS) == 2
    second.close()


def test_a_new_database_is_private(path: str) -> None:
    """It is created at the first use."""
    store = SqliteCueStore(path, at_once)
    assert not Path(path).exists()
    store.append(STREAM, EPOCH, [cue(1)], LIMITS)
    assert {one.stat().st_mode & 0o777 for one in Path(path).parent.iterdir()} == {0o600}
    store.close()


def test_a_database_in_memory_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is another one for each store."""
    monkeypatch.chdir(tmp_path)
    store, other = (SqliteCueStore(":memory:", at_once) for _ in range(2))
    store.append(STREAM, EPOCH, [cue(1)], LIMITS)
    assert (len(all_of(store)), len(all_of(other))) == (1, 0)
    assert list(tmp_path.iterdir()) == []
    store.close()
    other.close()


def test_many_cues_are_deleted_in_steps(path: str) -> None:
    """The rest of them after a restart. Nobody sees them meanwhile."""
    many = [cue(number) for number in range(2 * DELETED_AT_ONCE + 1)]
    steps: list[object] = []

    def stop_at_third(work: Callable[[], Any]) -> Any:
        if len(steps) == 3:
            raise CuesUnavailable("stopped")
        steps.append(work)
        return work()

    with closing(SqliteCueStore(path, at_once)) as earlier:
        earlier.append(STREAM, EPOCH, many, TrackLimits(len(many)))
    interrupted = SqliteCueStore(path, stop_at_third)
    with pytest.raises(CuesUnavailable):
        interrupted.forget(STREAM, [EPOCH])
    interrupted.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM cues").fetchone() == (1,)
    store = SqliteCueStore(path, at_once)
    assert all_of(store) == []
    assert store.append(STREAM, EPOCH, [cue(1)], LIMITS) == 1
    store.forget("other", [])
    assert connection.execute("SELECT seq FROM cues").fetchall() == [(1,)]
    assert len(all_of(store)) == 1
    connection.close()
    store.close()


def test_a_check_creates_no_database(path: str) -> None:
    """A server without cues needs none."""
    with closing(SqliteCueStore(path, at_once)) as store:
        store.check()
        assert not Path(path).exists()


@pytest.mark.parametrize("damage", ["a text", "later version"])
def test_what_cannot_be_read_is_an_error(path: str, damage: str) -> None:
    """It is not emptied."""
    if damage == "a text":
        Path(path).write_bytes(b"This is a text, not a database.\n" * 100)
    else:
        with closing(SqliteCueStore(path, at_once)) as earlier:
            earlier.page(STREAM, EPOCH, 0, 1, 1)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version = 99")
        connection.close()
    content = Path(path).read_bytes()
    store = SqliteCueStore(path, at_once)
    with pytest.raises(CuesUnavailable, match=r"later version|not a database"):
        store.append(STREAM, EPOCH, [cue(1)], LIMITS)
    with pytest.raises(CuesUnavailable, match=r"later version|not a database"):
        store.check()
    assert Path(path).read_bytes() == content
    store.close()


def test_a_lock_that_stays_is_an_error(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cues can still be read, and are stored once it is gone."""
    monkeypatch.setattr(sqlite_cues, "LOCKED_SECONDS", 0.01)
    store = SqliteCueStore(path, at_once)
    store.append(STREAM, EPOCH, [cue(1)], LIMITS)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(CuesUnavailable, match="locked"):
        store.append(STREAM, EPOCH, [cue(2)], LIMITS)
    assert len(all_of(store)) == 1
    other.execute("ROLLBACK")
    assert store.append(STREAM, EPOCH, [cue(2)], LIMITS) == 2
    other.close()
    store.close()


def test_a_closed_store_is_an_error(path: str) -> None:
    """Whether or not it was used."""
    for uses in (0, 1):
        store = SqliteCueStore(path, at_once)
        for _ in range(uses):
            store.page(STREAM, EPOCH, 0, 1, 1)
        store.close()
        with pytest.raises(CuesUnavailable, match="shut down"):
            store.page(STREAM, EPOCH, 0, 1, 1)


def test_a_database_that_hangs_is_unavailable(path: str) -> None:
    """For each caller, after a while; what comes later is stored once it responds."""
    hangs = threading.Event()
    calls = BlockingCalls(ThreadsRuntime(), failure_of, seconds=0.05)
    store = SqliteCueStore(path, calls.run)
    calls.submit(hangs.wait)
    with pytest.raises(CuesUnavailable, match="does not respond"):
        store.append(STREAM, EPOCH, [cue(1)], LIMITS)
    hangs.set()
    eventually(lambda: not calls._running)  # noqa: SLF001
    store = SqliteCueStore(path, BlockingCalls(ThreadsRuntime(), failure_of).run)
    assert store.append(STREAM, EPOCH, [cue(2)], LIMITS) == 1
    store.close()
