"""The lock that lets only one server use a database file.

A server that runs alone keeps subscriptions, waiting listeners and the counts of the catalog in its own process, so a
second server on the same database would not see them. The lock is a file beside the database, locked with flock(2):
the kernel releases it when the process ends, however it ends. The database itself is not locked, because some file
systems map such locks to those that SQLite uses.
"""

import fcntl
import logging
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from asf.domain.errors import CatalogUnavailable

SUFFIX = ".lock"
"""Appended to the path of the database."""

WAIT_SECONDS = 1.0
"""How long a start waits for the lock: another process may only be looking at it, or be about to end."""

RETRY_SECONDS = 0.05

MAX_HOLDER_BYTES = 300
"""Longest description of the process that holds the lock."""

logger = logging.getLogger(__name__)


class DatabaseInUse(Exception):
    """Another process holds the lock. `holder` describes it, as `process 7 on node1`; it may be empty."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class DatabaseLock:
    """The lock of the database at `path`, whose directory is created if missing. Held until `release`.

    The file contains a line about its holder, which counts only while the lock is held. Raises `DatabaseInUse` if
    another process has held it for `WAIT_SECONDS`, and `CatalogUnavailable` if the file cannot be opened. A file
    system without locks is logged, and not an error.
    """

    def __init__(self, path: str) -> None:
        lock_path = _lock_path(path)
        try:
            lock_path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise CatalogUnavailable(f"'{path}' cannot be used: {error.filename}: {error.strerror}.") from error
        self._is_released = False
        try:
            self._acquire(path)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Release the lock. Idempotent. The file stays: deleting it could let two others have one lock each."""
        if not self._is_released:
            self._is_released = True
            os.close(self._descriptor)

    def _acquire(self, path: str) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise DatabaseInUse(_holder(self._descriptor)) from None
                time.sleep(RETRY_SECONDS)
            except OSError as error:
                logger.warning("ASF_DATABASE '%s' cannot be locked (%s). Only one server may use it.", path, error)
                return
        with suppress(OSError):  # A full disk: the lock is held without a description.
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)


def holder_of(path: str) -> str | None:
    """Return a description of the process that uses the database at `path`, or None. Changes nothing.

    Returns None as well where this process may not read the lock.
    """
    try:
        descriptor = os.open(_lock_path(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Shared, so that two that are only looking do not see each other. Closing the file releases it.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def _lock_path(path: str) -> Path:
    # One database has one lock, whatever the path that leads to it.
    return Path(os.path.realpath(path) + SUFFIX)


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, MAX_HOLDER_BYTES, 0).decode(errors="replace").strip()
