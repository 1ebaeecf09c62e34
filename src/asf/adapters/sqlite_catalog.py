"""The catalog in an SQLite database: implements the `CatalogStore` port.

What `put` has written survives a crash of the process. SQLite's write-ahead log is not synced at every commit
(`synchronous=NORMAL`): after a power failure the last announcements may be missing, but the database is intact.
"""

import json
import logging
import os
import sqlite3
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from asf.adapters.followed_streams import FollowedStreams
from asf.adapters.serial_executor import run_at_once
from asf.domain.errors import CatalogFull, CatalogUnavailable
from asf.domain.signal import Signal
from asf.domain.streams.stream import AudioStream, StreamState, locator_of

IN_MEMORY = ":memory:"

LOCKED_SECONDS = 0.1
"""How long to wait for a database that another process has locked. The entire process waits meanwhile, which
makes reading and writing one atomic step; a tenth of a second is not audible."""

START_LOCKED_SECONDS = 5.0
"""The same while the server starts."""

RECENT_STREAMS = 256
"""Streams that are kept as they were read: many listeners join the same ones."""

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE streams (
    stream_id TEXT PRIMARY KEY,
    locator_kind TEXT NOT NULL,
    locator TEXT NOT NULL,
    state TEXT NOT NULL,
    epoch TEXT NOT NULL,
    content_type TEXT,
    metadata TEXT,
    reason TEXT,
    announced_at REAL NOT NULL
) WITHOUT ROWID
"""
COLUMNS = "stream_id, locator_kind, locator, state, epoch, content_type, metadata, reason, announced_at"


class SqliteCatalogStore:
    """One table of one database file. `path` may be `:memory:`.

    The file and its folder are created if missing, the file for its owner only. Raises `CatalogUnavailable` if the
    file cannot be opened, is not a database, or is of a later version.
    """

    is_local: ClassVar = True

    def __init__(self, path: str) -> None:
        self._path = path
        self._followed = FollowedStreams(run_at_once, self.get)
        self._recent: OrderedDict[str, AudioStream] = OrderedDict()  # As stored: one process writes.
        self._unread: set[str] = set()  # Streams whose current value `follow` could not read.
        with _translated(path):
            if path != IN_MEMORY:
                _create_private(Path(path))
            # One thread; green threads do not switch while a statement runs.
            self._connection = sqlite3.connect(
                path, timeout=START_LOCKED_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
                self._counts = self._counted()
                self._connection.execute(f"PRAGMA busy_timeout = {int(LOCKED_SECONDS * 1000)}")
            except BaseException:
                self.close()  # The caller has no store to close.
                raise

    @property
    def on_change(self) -> Signal[str, AudioStream | None]:
        """Called by `put` and `delete`, after the change was stored."""
        return self._followed.on_change

    def follow(self, stream_id: str) -> AudioStream | None:
        """Report the stream's changes, and return it. Raises `CatalogUnavailable`."""
        self._followed.add(stream_id)
        try:
            return self._followed.current(stream_id)
        except CatalogUnavailable:
            self._unread.add(stream_id)
            raise

    def unfollow(self, stream_id: str) -> None:
        """Stop reporting changes of the stream."""
        self._followed.discard(stream_id)
        self._unread.discard(stream_id)

    def put(self, stream: AudioStream, instead_of: AudioStream | None, max_streams: int) -> bool:
        """Store `stream` if `instead_of` is stored now. Raises `CatalogFull` or `CatalogUnavailable`."""
        # Atomic: one process writes, and no green thread runs meanwhile.
        if not self._is_stored(stream.stream_id, instead_of):
            return False
        if instead_of is None and self._counts.total() >= max_streams:
            raise CatalogFull.at(max_streams)
        self._recent.pop(stream.stream_id, None)
        marks = ", ".join("?" * (COLUMNS.count(",") + 1))
        self._query(f"INSERT OR REPLACE INTO streams ({COLUMNS}) VALUES ({marks})", _row_of(stream))  # noqa: S608
        self._counts[stream.state] += 1
        if instead_of is not None:
            self._counts[instead_of.state] -= 1
        self._followed.report(stream.stream_id, stream)
        self._report_unread()
        return True

    def get(self, stream_id: str) -> AudioStream | None:
        """Return the stream with that id, or None. Raises `CatalogUnavailable`."""
        recent = self._recent.get(stream_id)
        if recent is not None and not self._unread:
            self._recent.move_to_end(stream_id)
            return recent
        rows = self._rows(stream_id)
        self._report_unread()
        if not rows:
            return None
        stream = self._recent[stream_id] = self._stream_of(rows[0])
        if len(self._recent) > RECENT_STREAMS:
            self._recent.popitem(last=False)
        return stream

    def peek(self, stream_id: str) -> AudioStream | None:
        """Return the stream with that id if it was read, or None."""
        return None if self._unread else self._recent.get(stream_id)

    def delete(self, stream: AudioStream) -> bool:
        """Delete `stream` if it is stored now, and return whether it was. Raises `CatalogUnavailable`."""
        if not self._is_stored(stream.stream_id, stream):
            return False
        self._recent.pop(stream.stream_id, None)
        self._query("DELETE FROM streams WHERE stream_id = ?", (stream.stream_id,))
        self._counts[stream.state] -= 1
        self._followed.report(stream.stream_id, None)
        return True

    def page(self, limit: int, after: str) -> list[AudioStream]:
        """Return at most `limit` streams with ids after `after`, in the order of their ids.

        Raises `CatalogUnavailable`.
        """
        select = f"SELECT {COLUMNS} FROM streams WHERE stream_id > ? ORDER BY stream_id LIMIT ?"  # noqa: S608
        return [self._stream_of(row) for row in self._query(select, (after, limit))]

    def count(self) -> Mapping[StreamState, int]:
        """Return how many streams there are in each state."""
        return {state: self._counts[state] for state in StreamState}

    def check(self) -> None:
        """Raise `CatalogUnavailable` unless streams can be read and stored now: rewrites the version number."""
        self._query("SELECT 1 FROM streams LIMIT 1", ())
        self._query(f"PRAGMA user_version = {SCHEMA_VERSION}", ())
        self._report_unread()

    def close(self) -> None:
        """Close the database. Safe to repeat."""
        self._connection.close()

    def _prepare(self) -> None:
        execute = self._connection.execute
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        execute("BEGIN IMMEDIATE")
        try:
            self._check_or_create()
        except BaseException:
            execute("ROLLBACK")
            raise
        execute("COMMIT")

    def _check_or_create(self) -> None:
        execute = self._connection.execute
        version = execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise CatalogUnavailable(f"'{self._path}' was written by a later version of this program.")
        if version < SCHEMA_VERSION:
            execute(SCHEMA)
            execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        problem = execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise CatalogUnavailable(f"'{self._path}' is damaged: {problem}")

    def _counted(self) -> Counter[str]:
        # Counted once: there may be a million, and /metrics reads the counts often.
        return Counter(dict(self._connection.execute("SELECT state, count(*) FROM streams GROUP BY state")))

    def _stream_of(self, row: tuple[Any, ...]) -> AudioStream:
        stream_id, kind, locator, state, epoch, content_type, metadata, reason, announced_at = row
        try:
            return AudioStream(
                stream_id,
                locator_of(kind, locator),
                StreamState(state),
                epoch,
                content_type,
                None if metadata is None else json.loads(metadata),
                reason,
                announced_at,
            )
        except ValueError as error:
            raise CatalogUnavailable(f"The entry of stream '{stream_id}' is damaged: {error}.") from error

    def _report_unread(self) -> None:
        """Report the streams that could not be read when they were followed: the database can be read again."""
        unread, self._unread = self._unread, set()
        for stream_id in unread:
            try:
                rows = self._rows(stream_id)
            except CatalogUnavailable:
                self._unread.add(stream_id)
                continue
            try:
                if rows:
                    self._followed.report(stream_id, self._stream_of(rows[0]))
            except CatalogUnavailable as error:  # It is damaged.
                logger.warning("%s", error)

    def _is_stored(self, stream_id: str, stream: AudioStream | None) -> bool:
        return self._rows(stream_id) == ([] if stream is None else [_row_of(stream)])

    def _rows(self, stream_id: str) -> list[tuple[Any, ...]]:
        return self._query(f"SELECT {COLUMNS} FROM streams WHERE stream_id = ?", (stream_id,))  # noqa: S608

    def _query(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with _translated(self._path):
            return self._connection.execute(statement, values).fetchall()


def _create_private(path: Path) -> None:
    """Create an empty file for its owner only, unless there is one. SQLite gives its -wal and -shm the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


@contextmanager
def _translated(path: str) -> Iterator[None]:
    """Raise `CatalogUnavailable` for errors of the database."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise CatalogUnavailable(f"'{path}': {error}.") from error


def _row_of(stream: AudioStream) -> tuple[Any, ...]:
    return (
        stream.stream_id,
        stream.locator.kind,
        stream.locator.text,
        stream.state,
        stream.epoch,
        stream.content_type,
        None if stream.metadata is None else json.dumps(stream.metadata),
        stream.reason,
        stream.announced_at,
    )
