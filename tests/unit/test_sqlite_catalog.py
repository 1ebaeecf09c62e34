"""The catalog in SQLite keeps its port's contract, and what it stores survives."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from asf.adapters import sqlite_catalog
from asf.adapters.sqlite_catalog import LOCKED_SECONDS, SqliteCatalogStore
from asf.domain.errors import CatalogFull, CatalogUnavailable
from asf.domain.streams.stream import AudioStream, FileLocator, StreamState
from tests.contracts.catalog_store import CatalogStoreContract, Recorder, keep
from tests.support.bounds import PATIENCE_SECONDS

STREAM = AudioStream("strm_1", FileLocator("/audio/one.mp3"), StreamState.GENERATING, "epoch", announced_at=12.5)


class TestSqliteCatalogStore(CatalogStoreContract):
    """The contract, on databases in files."""

    @pytest.fixture
    def make_store(self, tmp_path: Path) -> Iterator[Callable[[], SqliteCatalogStore]]:
        stores: list[SqliteCatalogStore] = []

        def make() -> SqliteCatalogStore:
            stores.append(SqliteCatalogStore(str(tmp_path / f"{len(stores)}.sqlite3")))
            return stores[-1]

        yield make
        for store in stores:
            store.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return where a database may be made, in a folder that is not there yet."""
    return str(tmp_path / "var" / "asf.sqlite3")


def is_open(path: str) -> bool:
    """Tell whether this process has the file open."""
    return path in {os.path.realpath(descriptor) for descriptor in Path("/proc/self/fd").iterdir()}


def test_what_was_put_survives(path: str) -> None:
    """Another process finds it, whether or not this one has closed the database."""
    first = SqliteCatalogStore(path)
    keep(first, STREAM)
    second = SqliteCatalogStore(path)
    assert second.get("strm_1") == STREAM
    first.close()
    first.close()
    second.close()


def test_ids_of_earlier_versions_can_be_listed(path: str) -> None:
    """Those that are rejected today."""
    store = SqliteCatalogStore(path)
    for stream_id in (".", ".."):
        keep(store, replace(STREAM, stream_id=stream_id))
    assert [stream.stream_id for stream in store.page(10, "")] == [".", ".."]
    store.close()


def test_a_new_database_is_private(tmp_path: Path) -> None:
    """Its log, too, whatever the umask. The mode of an existing database stays as it is."""
    path = tmp_path / "folder" / "d.sqlite3"
    umask = os.umask(0)
    try:
        store = SqliteCatalogStore(str(path))
        assert store.put(AudioStream("s", FileLocator("/x.mp3")), None, 10)
        assert {one.stat().st_mode & 0o777 for one in path.parent.iterdir()} == {0o600}
        assert len(list(path.parent.iterdir())) == 3
        store.close()
        path.chmod(0o640)
        SqliteCatalogStore(str(path)).close()
        assert path.stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(umask)


def test_a_database_in_memory_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is another one for each store."""
    monkeypatch.chdir(tmp_path)
    store, other = SqliteCatalogStore(":memory:"), SqliteCatalogStore(":memory:")
    keep(store, STREAM)
    assert other.get("strm_1") is None
    assert list(tmp_path.iterdir()) == []
    store.close()
    other.close()


def test_what_is_no_database_is_refused(path: str) -> None:
    """It is neither emptied nor taken for an empty catalog."""
    Path(path).parent.mkdir()
    Path(path).write_bytes(b"This is a text, not a database.\n" * 100)
    with pytest.raises(CatalogUnavailable, match="not a database"):
        SqliteCatalogStore(path)
    assert not is_open(path)
    assert Path(path).read_bytes().startswith(b"This is a text")


def test_a_damaged_database_is_refused(path: str) -> None:
    """A page in the middle is overwritten."""
    store = SqliteCatalogStore(path)
    for number in range(500):
        keep(store, AudioStream(f"strm_{number}", FileLocator("/audio/" + "x" * 100)))
    store.close()
    with Path(path).open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 8192)
    with pytest.raises(CatalogUnavailable, match=r"damaged|malformed"):
        SqliteCatalogStore(path)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A file in the place of the folder, or a folder in the place of the file."""
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path / "file" / "asf.sqlite3", tmp_path):
        with pytest.raises(CatalogUnavailable):
            SqliteCatalogStore(str(place))


def test_a_database_of_a_later_version_is_refused(path: str) -> None:
    """Rather than read in a wrong way."""
    SqliteCatalogStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(CatalogUnavailable, match="later version"):
        SqliteCatalogStore(path)
    assert not is_open(path)


@pytest.mark.parametrize("damage", ["locator_kind = 'tape'", "state = 'tape'", "metadata = 'tape'"])
def test_an_entry_that_makes_no_sense_is_an_error(path: str, damage: str) -> None:
    """Such as a later version may have written. It is not taken for a stream that is not there."""
    store = SqliteCatalogStore(path)
    keep(store, STREAM)
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE streams SET {damage}")  # noqa: S608
    connection.commit()
    connection.close()
    with pytest.raises(CatalogUnavailable):
        store.get("strm_1")
    store.close()
    reopened = SqliteCatalogStore(path)
    assert sum(reopened.count().values()) in {0, 1}
    with pytest.raises(CatalogFull):  # It counts, whatever its state.
        reopened.put(AudioStream("strm_2", FileLocator("/audio/two.mp3")), None, 1)
    reopened.close()


def test_a_stream_that_could_not_be_read_when_it_was_followed_is_reported_later(path: str) -> None:
    """Once the database can be read again; and its changes are reported as usual."""
    store, recorder = SqliteCatalogStore(path), Recorder()
    keep(store, STREAM)
    store.on_change.connect(recorder)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("ALTER TABLE streams RENAME TO elsewhere")
    for stream_id in ("strm_1", "unknown", "left"):
        with pytest.raises(CatalogUnavailable):
            store.follow(stream_id)
    store.unfollow("left")
    other.execute("ALTER TABLE elsewhere RENAME TO streams")
    assert recorder.changes == []
    store.check()
    assert recorder.changes == [("strm_1", STREAM)]
    assert store.delete(STREAM)
    store.check()
    assert recorder.changes == [("strm_1", STREAM), ("strm_1", None)]
    other.close()
    store.close()


def test_a_lock_is_waited_for(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process writes, and is done soon."""
    monkeypatch.setattr(sqlite_catalog, "LOCKED_SECONDS", PATIENCE_SECONDS)
    store = SqliteCatalogStore(path)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(LOCKED_SECONDS / 4, lambda: other.execute("COMMIT"))
    timer.start()
    keep(store, STREAM)
    timer.join()
    assert store.get("strm_1") == STREAM
    other.close()
    store.close()


def test_a_lock_that_stays_is_an_error(path: str) -> None:
    """Streams can still be read; writing is an error."""
    store = SqliteCatalogStore(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(CatalogUnavailable, match="locked"):
        keep(store, STREAM)
    assert store.get("strm_1") is None
    other.execute("ROLLBACK")
    keep(store, STREAM)
    other.close()
    store.close()


def test_a_check_finds_that_nothing_can_be_kept(path: str) -> None:
    """Although all that is kept can still be read."""
    store = SqliteCatalogStore(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert store.get("strm_1") is None
    with pytest.raises(CatalogUnavailable):
        store.check()
    other.execute("ROLLBACK")
    store.check()
    other.close()
    store.close()
