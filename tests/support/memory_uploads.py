"""Uploaded audio in memory, and uploads over it, for tests that need no disk."""

from collections.abc import Collection
from itertools import count

from asf.domain.clock import Clock
from asf.domain.errors import StorageFull, UploadNotFound, UploadOffsetMismatch
from asf.domain.streams.catalog import StreamCatalog
from asf.domain.streams.stream import AudioEnding, Locator, UploadLocator
from asf.domain.uploads.ports import StoredUpload
from asf.domain.uploads.streams import UploadedStreams


class InMemoryUploadSpool:
    """Implements the `UploadSpool` port. `audio` has the bytes by name, `endings` how they were finished."""

    def __init__(self, clock: Clock, total_bytes: int = 1 << 30) -> None:
        self.audio: dict[str, bytes] = {}
        self.grown_at: dict[str, float] = {}
        self.endings: dict[str, AudioEnding] = {}
        self.opened = 0
        self.total_bytes = total_bytes
        self._clock = clock
        self._numbers = count(1)

    def owns(self, locator: Locator) -> bool:
        return isinstance(locator, UploadLocator)

    def create(self) -> Locator:
        name = f"upload-{next(self._numbers)}"
        self.audio[name] = b""
        self.grown_at[name] = self._clock.timestamp()
        return UploadLocator(name)

    def open(self, locator: Locator) -> "InMemoryUploadFile":
        self.bytes_of(locator)
        self.opened += 1
        return InMemoryUploadFile(self, locator)

    def find(self, locator: Locator) -> StoredUpload:
        return StoredUpload(locator, len(self.bytes_of(locator)), self.grown_at[locator.text.partition(":")[2]])

    def delete(self, locator: Locator) -> None:
        self.audio.pop(locator.text.partition(":")[2], None)

    def stored(self) -> Collection[StoredUpload]:
        return [self.find(UploadLocator(name)) for name in self.audio]

    def bytes_of(self, locator: Locator) -> bytes:
        """Return what was uploaded."""
        try:
            return self.audio[locator.text.partition(":")[2]]
        except KeyError:
            raise UploadNotFound from None

    def append(self, locator: Locator, offset: int, data: bytes) -> int:
        """Append, if it ends there and there is space for all of it."""
        audio = self.bytes_of(locator)
        if offset != len(audio):
            raise UploadOffsetMismatch(offset=len(audio))
        if sum(map(len, self.audio.values())) + len(data) > self.total_bytes:
            raise StorageFull(offset=offset)
        name = locator.text.partition(":")[2]
        self.audio[name] = audio + data
        self.grown_at[name] = self._clock.timestamp()
        return offset + len(data)


class InMemoryUploadFile:
    """Implements the `UploadFile` port."""

    def __init__(self, spool: InMemoryUploadSpool, locator: Locator) -> None:
        self._spool = spool
        self._locator = locator
        self._is_open = True

    def size(self) -> int:
        return len(self._spool.bytes_of(self._locator))

    def append(self, offset: int, data: bytes) -> int:
        return self._spool.append(self._locator, offset, data)

    def finish(self, ending: AudioEnding) -> None:
        self._spool.endings[self._locator.text.partition(":")[2]] = ending

    def close(self) -> None:
        self._spool.opened -= self._is_open
        self._is_open = False


class RecordedUploads:
    """Implements the `UploadObserver` port: keeps what it is told."""

    def __init__(self) -> None:
        self.started: list[tuple[str, int]] = []
        self.ended: list[tuple[str, str, int]] = []

    def upload_started(self, stream_id: str, _epoch: str, offset: int) -> None:
        self.started.append((stream_id, offset))

    def upload_ended(self, stream_id: str, _epoch: str, outcome: str, byte_count: int, _seconds: float) -> None:
        self.ended.append((stream_id, outcome, byte_count))


def uploaded_in_memory(catalog: StreamCatalog, clock: Clock) -> UploadedStreams:
    """Return the uploaded streams of a catalog that has none yet; no disk has a part in them."""
    spool = InMemoryUploadSpool(clock)
    return UploadedStreams(catalog, spool, spool.delete)
