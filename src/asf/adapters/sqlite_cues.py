"""Cues in an SQLite database of their own: implements the `CueStore` port.

Not in the catalog's: that is checked as a whole at each start, and read and written on the event loop; cues are many,
and read and written in worker threads. They are as durable as the catalog (see `sqlite_catalog`).
"""

import os
import posix
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from asf.adapters.blocking_calls import CallTimeout
from asf.domain.cues.cue import Cue
from asf.domain.cues.track import CuePage, StoredCue, TrackLimits
from asf.domain.errors import CuesUnavailable, TooManyCues
from asf.domain.signal import Signal

IN_MEMORY = ":memory:"

SUFFIX = ".cues"
"""Appended to the path of the catalog's database: that of the cues."""

LOCKED_SECONDS = 5.0
"""How long to wait for a database that another process has locked, in a worker thread."""

DELETED_AT_ONCE = 1000
"""Cues that are deleted in one transaction."""

READ, WRITE = "BEGIN", "BEGIN IMMEDIATE"
"""How transactions begin."""

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE tracks (
    track INTEGER PRIMARY KEY AUTOINCREMENT,
    stream_id TEXT NOT NULL,
    epoch TEXT NOT NULL,
    latest INTEGER NOT NULL,
    total INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    UNIQUE (stream_id, epoch)
);
CREATE TABLE deleted_tracks (track INTEGER PRIMARY KEY);
CREATE TABLE cues (
    track INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    id TEXT,
    cue TEXT NOT NULL,
    PRIMARY KEY (track, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX cues_by_id ON cues (track, id) WHERE id IS NOT NULL;
"""
"""A track that is in `deleted_tracks` is not in `tracks`; its cues are deleted step by step."""

Result = TypeVar("Result")

InThread = Callable[[Callable[[], Any]], Any]
"""Runs a function that blocks, one at a time, and returns what it returns: `BlockingCalls.run`."""


class SqliteCueStore:
    """One database file, created if missing, for its owner only. `path` may be `:memory:`.

    `in_thread` runs what blocks. The database is opened at its first use. Methods raise `CuesUnavailable` also if the
    file is not a database, or is of a later version.
    """

    def __init__(self, path: str, in_thread: InThread) -> None:
        self.on_appended: Signal[str, str] = Signal()
        self.on_interrupted: Signal[()] = Signal()
        self._path = path
        self._in_thread = in_thread
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False

    def append(self, stream_id: str, epoch: str, cues: Sequence[Cue], limits: TrackLimits) -> int:
        """Store all of `cues` or none, and return how many the track has. Raises `TooManyCues`."""
        total: int = self._run(partial(_append, stream_id=stream_id, epoch=epoch, cues=cues, limits=limits))
        self.on_appended(stream_id, epoch)
        return total

    def page(self, stream_id: str, epoch: str, after: int, max_cues: int, max_bytes: int) -> CuePage:
        """Return the first cues above `after` within both limits, at least one."""
        work = partial(_page, key=(stream_id, epoch), after=after, max_cues=max_cues, max_bytes=max_bytes)
        page: CuePage = self._run(work, READ)
        return page

    def select(self, stream_id: str, epoch: str, seqs: Sequence[int]) -> list[StoredCue]:
        """Return the cues with these numbers."""
        found: dict[int, str] = self._run(partial(_select, key=(stream_id, epoch), seqs=seqs), READ)
        return [StoredCue(seq, found[seq]) for seq in seqs if seq in found]

    def epochs(self, stream_id: str) -> Collection[str]:
        """Return the epochs of the stream that have a track."""
        found: set[str] = self._run(partial(_epochs, stream_id=stream_id), READ)
        return found

    def forget(self, stream_id: str, epochs: Collection[str]) -> None:
        """Delete the stream's tracks of these epochs, and what is left of other deleted ones, step by step."""
        self._run(partial(_mark_deleted, stream_id=stream_id, epochs=epochs))
        while self._run(_delete_some):
            pass

    def check(self) -> None:
        """Raise `CuesUnavailable` unless cues can be read and stored now: rewrites the version number.

        A database that does not exist yet is not created: the catalog's check tells whether it could be.
        """
        if self._connection is not None or Path(self._path).exists():
            self._run(_check)

    def close(self) -> None:
        """Close the database. Safe to repeat."""
        self._is_closed = True
        if self._connection is not None:
            self._connection.close()

    def _run(self, work: Callable[[sqlite3.Connection], Result], begin: str = WRITE) -> Result:
        """Return what `work` returns, in one transaction, in a worker thread. Raises `CuesUnavailable`."""
        result: Result = self._in_thread(partial(self._transact, work, begin))
        return result

    def _transact(self, work: Callable[[sqlite3.Connection], Result], begin: str) -> Result:
        try:
            connection = self._opened()
            with _transaction(connection, begin):
                return work(connection)
        except (sqlite3.Error, OSError) as error:
            raise CuesUnavailable(f"'{self._path}': {error}.") from error

    def _opened(self) -> sqlite3.Connection:
        if self._is_closed:
            raise CuesUnavailable("The server is being shut down.")
        if self._connection is None:
            self._connection = _open(self._path)
        return self._connection


def failure_of(error: Exception) -> Exception:
    """Return the error of a call in a worker thread, for callers of the store."""
    return CuesUnavailable("The database does not respond.") if isinstance(error, CallTimeout) else error


def _open(path: str) -> sqlite3.Connection:
    if path != IN_MEMORY:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            # Not `os.open`: where the standard library is patched, that makes an event loop for the worker thread.
            os.close(posix.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    # One call at a time, each in any thread.
    connection = sqlite3.connect(path, timeout=LOCKED_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise CuesUnavailable(f"'{path}' was written by a later version of this program.")
    if version < SCHEMA_VERSION:
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _check(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT 1 FROM tracks LIMIT 1").fetchone()
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _append(
    connection: sqlite3.Connection, stream_id: str, epoch: str, cues: Sequence[Cue], limits: TrackLimits
) -> int:
    execute = connection.execute
    execute("INSERT OR IGNORE INTO tracks VALUES (NULL, ?, ?, 0, 0, 0)", (stream_id, epoch))
    columns = "SELECT track, latest, total, bytes FROM tracks WHERE stream_id = ? AND epoch = ?"
    track, latest, total, size = execute(columns, (stream_id, epoch)).fetchone()
    for cue in cues:
        earlier = None
        if cue.id is not None:
            earlier = execute("SELECT seq, cue FROM cues WHERE track = ? AND id = ?", (track, cue.id)).fetchone()
        if earlier is not None:
            if earlier[1] == cue.json:
                continue
            execute("DELETE FROM cues WHERE track = ? AND seq = ?", (track, earlier[0]))
            total -= 1
            size -= len(earlier[1].encode())
        latest += 1
        total += 1
        size += cue.size
        execute("INSERT INTO cues VALUES (?, ?, ?, ?)", (track, latest, cue.id, cue.json))
    if total > limits.max_cues or size > limits.max_bytes:
        raise TooManyCues.of(limits.max_cues)
    execute("UPDATE tracks SET latest = ?, total = ?, bytes = ? WHERE track = ?", (latest, total, size, track))
    return int(total)


def _page(connection: sqlite3.Connection, key: tuple[str, str], after: int, max_cues: int, max_bytes: int) -> CuePage:
    found = connection.execute("SELECT track, latest FROM tracks WHERE stream_id = ? AND epoch = ?", key).fetchone()
    if found is None:
        return CuePage((), 0)
    track, latest = found
    cues: list[StoredCue] = []
    size = 0
    select = "SELECT seq, cue FROM cues WHERE track = ? AND seq > ? ORDER BY seq LIMIT ?"
    with closing(connection.execute(select, (track, after, max_cues))) as rows:
        for seq, cue in rows:
            size += len(cue.encode())
            if cues and size > max_bytes:
                break
            cues.append(StoredCue(seq, cue))
    return CuePage(tuple(cues), latest)


def _select(connection: sqlite3.Connection, key: tuple[str, str], seqs: Sequence[int]) -> dict[int, str]:
    found = connection.execute("SELECT track FROM tracks WHERE stream_id = ? AND epoch = ?", key).fetchone()
    if found is None:
        return {}
    select = "SELECT cue FROM cues WHERE track = ? AND seq = ?"
    rows = ((seq, connection.execute(select, (found[0], seq)).fetchone()) for seq in seqs)
    return {seq: row[0] for seq, row in rows if row is not None}


def _epochs(connection: sqlite3.Connection, stream_id: str) -> set[str]:
    return {epoch for (epoch,) in connection.execute("SELECT epoch FROM tracks WHERE stream_id = ?", (stream_id,))}


def _mark_deleted(connection: sqlite3.Connection, stream_id: str, epochs: Collection[str]) -> None:
    which = "FROM tracks WHERE stream_id = ? AND epoch = ?"
    for epoch in epochs:
        connection.execute(f"INSERT INTO deleted_tracks SELECT track {which}", (stream_id, epoch))
        connection.execute(f"DELETE {which}", (stream_id, epoch))


def _delete_some(connection: sqlite3.Connection) -> bool:
    """Delete some cues of a deleted track. Returns whether more may have to be deleted."""
    found = connection.execute("SELECT track FROM deleted_tracks LIMIT 1").fetchone()
    if found is None:
        return False
    last = connection.execute(
        "SELECT max(seq) FROM (SELECT seq FROM cues WHERE track = ? ORDER BY seq LIMIT ?)",
        (found[0], DELETED_AT_ONCE),
    ).fetchone()[0]
    if last is None:
        connection.execute("DELETE FROM deleted_tracks WHERE track = ?", found)
    else:
        connection.execute("DELETE FROM cues WHERE track = ? AND seq <= ?", (found[0], last))
    return True
