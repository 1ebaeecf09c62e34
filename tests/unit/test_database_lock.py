"""The lock of a database: one holder at a time, for as long as its process runs."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from asf.adapters import database_lock
from asf.adapters.database_lock import DatabaseInUse, DatabaseLock, holder_of
from asf.adapters.sqlite_catalog import SqliteCatalogStore
from asf.adapters.system_clock import SystemClock
from asf.application.diagnosis.finding import Severity
from asf.application.diagnosis.storage import examine_database
from asf.domain.errors import CatalogUnavailable
from asf.entrypoints.storage import create_storage
from asf.settings import SettingsError, read_settings
from tests.support.threads_runtime import ThreadsRuntime

HOLD = """
import sys
from asf.adapters.database_lock import DatabaseLock
lock = DatabaseLock(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_lock, "WAIT_SECONDS", 0.0)


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    """Whatever the path that leads to the database, which need not exist, nor its directory."""
    path = tmp_path / "var" / "d.sqlite3"
    lock = DatabaseLock(str(path))
    (tmp_path / "link").symlink_to(path)
    for same in (path, tmp_path / "var" / ".." / "var" / "d.sqlite3", tmp_path / "link"):
        with pytest.raises(DatabaseInUse, match=f"^process {os.getpid()} on "):
            DatabaseLock(str(same))
        assert str(holder_of(str(same))).startswith(f"process {os.getpid()} on ")
    with closing(SqliteCatalogStore(str(path))) as store:
        store.check()
    lock.release()
    lock.release()
    assert holder_of(str(path)) is None
    DatabaseLock(str(path)).release()
    assert not path.with_suffix(".lock").exists(), "beside it, and not in its place"


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    """The kernel releases the lock. Nothing is left to be deleted by hand."""
    path = str(tmp_path / "d.sqlite3")
    command = [sys.executable, "-c", HOLD, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == "held\n"
        with pytest.raises(DatabaseInUse, match=f"^process {holding.pid} on "):
            DatabaseLock(path)
        holding.send_signal(signal.SIGKILL)
    DatabaseLock(path).release()


def test_a_start_waits_for_one_that_is_about_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or that is only looking."""
    monkeypatch.setattr(database_lock, "WAIT_SECONDS", 60.0)
    path = str(tmp_path / "d.sqlite3")
    lock = DatabaseLock(path)
    monkeypatch.setattr(time, "sleep", lambda _seconds: lock.release())
    DatabaseLock(path).release()


def test_looking_creates_nothing(tmp_path: Path) -> None:
    """Also where there is no directory."""
    assert holder_of(str(tmp_path / "d.sqlite3")) is None
    assert holder_of(str(tmp_path / "missing" / "d.sqlite3")) is None
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    """As an unusable catalog."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CatalogUnavailable) as raised:
        DatabaseLock(str(tmp_path / "file" / "d.sqlite3"))
    assert f"{tmp_path / 'file'}: " in str(raised.value.details)
    assert "Errno" not in str(raised.value.details)


def test_a_full_disk_does_not_prevent_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder is unknown then."""

    def refuse(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    path = str(tmp_path / "d.sqlite3")
    monkeypatch.setattr(os, "pwrite", refuse)
    lock = DatabaseLock(path)
    assert holder_of(path) == ""
    lock.release()


def test_a_file_system_without_locks_is_used_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A single server works there."""

    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(37, "No locks available")

    path = str(tmp_path / "d.sqlite3")
    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", refuse)
        DatabaseLock(path).release()
        assert holder_of(path) is None
    assert "cannot be locked" in caplog.text


def test_storage_holds_the_lock_until_it_is_closed(tmp_path: Path) -> None:
    """And leaves it free where the database cannot be opened. A catalog in memory has none."""
    path = tmp_path / "d.sqlite3"
    settings, runtime = read_settings({"ASF_DATABASE": str(path)}), ThreadsRuntime()
    storage = create_storage(settings, runtime, SystemClock())
    with pytest.raises(SettingsError, match=r"ASF_DATABASE '.*d\.sqlite3' is in use by another server \(process "):
        create_storage(settings, runtime, SystemClock())
    storage.close()
    storage.close()
    create_storage(settings, runtime, SystemClock()).close()
    path.write_bytes(b"no database" * 1000)
    for _ in range(2):
        with pytest.raises(CatalogUnavailable):
            create_storage(settings, runtime, SystemClock())
    memory = read_settings({"ASF_DATABASE": ":memory:"})
    first, second = create_storage(memory, runtime, SystemClock()), create_storage(memory, runtime, SystemClock())
    first.close()
    second.close()


@pytest.mark.parametrize("exists", [True, False])
def test_doctor_names_another_server(tmp_path: Path, exists: bool) -> None:
    """Unless it is the server of these settings, which is running. One with workers makes no file of that name."""
    path = str(tmp_path / "d.sqlite3")
    if exists:
        SqliteCatalogStore(path).close()
    lock = DatabaseLock(path)
    found = examine_database(path)
    assert found.severity is Severity.PROBLEM
    assert f"in use by another server (process {os.getpid()} on " in found.text
    assert "ASF_REDIS_URL" in found.remedy
    assert examine_database(path, is_running=True).severity is Severity.OK
    lock.release()
    assert examine_database(path).severity is Severity.OK
