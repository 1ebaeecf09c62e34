"""Uploaded audio in Redis: implements the `UploadSpool` port by queues, as `queue:NAME` streams them.

The last entry of a queue says how much audio there is; nothing else records it. A piece is appended by a script,
which compares the offset: of two writers, on whichever servers, one appends. All audio stays in Redis's memory until
it is deleted, so Redis must have room for `ASF_UPLOAD_TOTAL_BYTES`.
"""

import secrets
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import redis

from asf.adapters.redis_store.batches import batches
from asf.adapters.redis_store.failures import details_of
from asf.adapters.redis_store.lua import load_script
from asf.adapters.redis_store.pauses import SystemTiming, Timing
from asf.adapters.redis_store.queues.entries import PREFIX, UPLOAD_NAME_PREFIX, pieces_of
from asf.backoff import Backoff
from asf.domain.errors import StorageFull, UploadNotFound, UploadOffsetMismatch, UploadUnavailable
from asf.domain.streams.stream import AudioEnding, Locator, QueueLocator
from asf.domain.uploads.ports import StoredUpload

UPLOADS_PREFIX = "asf:1:uploads:"
"""Prefix of the keys beside the queues. The number is the version of the format."""

TOKEN_BYTES = 12
"""Random bytes in a name."""

APPEND_SECONDS = 10.0
"""How long an append is retried while Redis is unreachable: as long as a failover takes. The sender waits."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0

QUEUES_AT_ONCE = 100
"""Maximum number of queues that are looked at with one request."""


class QueueUploadSpool:
    """Queues in the Redis of `client`, at most `total_bytes` together.

    Beside them, under keys with the prefix `prefix`, is a hash of the names of all uploads, with the time at which
    each was created, and how many bytes they have together.
    """

    def __init__(
        self, client: redis.Redis, total_bytes: int, timing: Timing | None = None, prefix: str = UPLOADS_PREFIX
    ) -> None:
        self._client = client
        self._names_key, self._total_key = prefix + "names", prefix + "bytes"
        self._total_bytes = total_bytes
        self._timing = timing or SystemTiming()
        self._append = client.register_script(load_script(__package__, "common", "append"))
        self._finish = client.register_script(load_script(__package__, "common", "finish"))
        self._delete = client.register_script(load_script(__package__, "common", "delete"))

    def owns(self, locator: Locator) -> bool:
        """Return whether the audio is a queue that was uploaded."""
        return isinstance(locator, QueueLocator) and locator.name.startswith(UPLOAD_NAME_PREFIX)

    def create(self) -> Locator:
        """Reserve the name of a queue. Raises `StorageFull`, `UploadUnavailable`."""
        locator = QueueLocator(UPLOAD_NAME_PREFIX + secrets.token_hex(TOKEN_BYTES))
        with _translated():
            seconds, microseconds = _sync(self._client.time())
            self._client.hset(self._names_key, locator.name, f"{seconds}.{microseconds:06}")
            if int(_sync(self._client.get(self._total_key)) or 0) >= self._total_bytes:
                self._client.hdel(self._names_key, locator.name)
                raise self._full(None)
        return locator

    def open(self, locator: Locator) -> "QueueUploadFile":
        """Open a queue for a writer. Raises `UploadNotFound` or `UploadUnavailable`."""
        self.find(locator)
        return QueueUploadFile(self, locator)

    def find(self, locator: Locator) -> StoredUpload:
        """Return what is known of a queue. Raises `UploadNotFound` or `UploadUnavailable`."""
        for upload in self._look([_name_of(locator)]):
            return upload
        raise UploadNotFound

    def delete(self, locator: Locator) -> None:
        """Delete a queue. Raises `UploadUnavailable`. Listeners that have not received all of it get an error."""
        with _translated():
            self._delete(*self._arguments(_name_of(locator)))

    def stored(self) -> Collection[StoredUpload]:
        """Return all queues that were uploaded, and correct the number of their bytes. Raises `UploadUnavailable`."""
        with _translated():
            names = [name.decode() for name in _sync(self._client.hkeys(self._names_key))]
            stored = [upload for some in batches(names, QUEUES_AT_ONCE) for upload in self._look(some)]
            self._client.set(self._total_key, sum(upload.size for upload in stored))
        return stored

    def append(self, name: str, offset: int, data: bytes) -> int:
        """Append a piece to a queue. See `UploadFile.append`. Retries while Redis is unreachable."""
        deadline = self._timing.now() + APPEND_SECONDS
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        while True:
            try:
                with _translated():
                    outcome, size = self._append(*self._arguments(name, offset, data, self._total_bytes))
                break
            except UploadUnavailable:
                if self._timing.now() + backoff.pause > deadline:
                    raise
            self._timing.sleep(backoff.next_pause())
        if outcome == b"missing":
            raise UploadNotFound("It was deleted.")
        if outcome == b"mismatch":
            raise UploadOffsetMismatch(f"It continues at byte {size}.", size)
        if outcome == b"full":
            raise self._full(size)
        return int(size)

    def finish(self, name: str, ending: AudioEnding) -> None:
        """Add the last entry to a queue. Raises `UploadNotFound`, `UploadUnavailable` or `StorageFull`."""
        with _translated():
            outcome = self._finish(*self._arguments(name, ending.state.value, ending.reason or ""))
        if outcome == b"missing":
            raise UploadNotFound("It was deleted.")

    def _arguments(self, name: str, *more: str | bytes | int) -> tuple[list[str], list[str | bytes | int]]:
        """Return the keys and arguments of a script."""
        return [PREFIX + name, self._names_key, self._total_key], [name, *more]

    def _look(self, names: list[str]) -> Iterable[StoredUpload]:
        """Return those of these uploads that exist. Raises `UploadUnavailable`."""
        with _translated(), self._client.pipeline(transaction=False) as pipeline:
            pipeline.hmget(self._names_key, names)
            for name in names:
                pipeline.xrevrange(PREFIX + name, count=1)
            created, *tails = pipeline.execute()
        return [
            _stored(name, created_at, entries)
            for name, created_at, entries in zip(names, created, tails, strict=True)
            if created_at is not None
        ]

    def _full(self, offset: int | None) -> StorageFull:
        return StorageFull(f"All uploads together have the {self._total_bytes} bytes that are allowed.", offset)


class QueueUploadFile:
    """One queue: implements the `UploadFile` port."""

    def __init__(self, spool: QueueUploadSpool, locator: Locator) -> None:
        self._spool = spool
        self._locator = locator
        self._name = _name_of(locator)

    def size(self) -> int:
        """Return the length. Raises `UploadNotFound` or `UploadUnavailable`."""
        return self._spool.find(self._locator).size

    def append(self, offset: int, data: bytes) -> int:
        """Append `data` at `offset`, where the queue must end, and return its new length."""
        return self._spool.append(self._name, offset, data)

    def finish(self, ending: AudioEnding) -> None:
        """Add the last entry, once."""
        self._spool.finish(self._name, ending)

    def close(self) -> None:
        """Do nothing: nothing is open."""


def _name_of(locator: Locator) -> str:
    name = locator.name if isinstance(locator, QueueLocator) else ""
    if not name.startswith(UPLOAD_NAME_PREFIX):
        raise UploadNotFound
    return name


def _stored(name: str, created_at: bytes, entries: Any) -> StoredUpload:
    """Return what the last entry of a queue says; of an empty one, when it was created."""
    if not entries:
        return StoredUpload(QueueLocator(name), 0, float(created_at))
    (piece,) = pieces_of(entries)
    milliseconds = int(piece.entry_id.partition(b"-")[0])
    return StoredUpload(QueueLocator(name), piece.offset + len(piece.audio), milliseconds / 1000)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise `StorageFull` or `UploadUnavailable` for errors of Redis."""
    try:
        yield
    except redis.exceptions.OutOfMemoryError as error:
        raise StorageFull(details_of(error)) from error
    except (redis.RedisError, OSError) as error:
        raise UploadUnavailable(details_of(error)) from error


def _sync(reply: Any) -> Any:
    """Return a reply: redis-py's annotations are those of its asynchronous client, too."""
    return reply
