"""What uploads need from outside."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from asf.domain.streams.stream import AudioEnding, Locator


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """Uploaded audio that is stored: its size in bytes, and when it last grew, in seconds since the Unix epoch."""

    locator: Locator
    size: int
    grown_at: float


class UploadFile(Protocol):
    """Uploaded audio that is open for one writer. Every method but `close` may yield."""

    def size(self) -> int:
        """Return how many bytes there are, those included that an earlier writer is just appending.

        Raises `UploadNotFound` if the audio was deleted, `UploadUnavailable`.
        """
        ...

    def append(self, offset: int, data: bytes) -> int:
        """Append `data` if there are `offset` bytes now, and return how many there are then.

        All of it survives a kill of this process when this returns. Raises `UploadOffsetMismatch`, `StorageFull`
        (some of `data` may have been appended), `UploadNotFound` or `UploadUnavailable`, with the offset if it is
        known.
        """
        ...

    def finish(self, ending: AudioEnding) -> None:
        """Store that there will be no more bytes, so that it survives a power failure if the storage can do that.

        Raises `StorageFull`, `UploadNotFound` or `UploadUnavailable`; then it can be repeated.
        """
        ...

    def close(self) -> None:
        """Release what is open. Safe to repeat. Raises nothing."""
        ...


class UploadSpool(Protocol):
    """Stores uploaded audio within its limits. Every method but `owns` may yield, and raise `UploadUnavailable`."""

    def owns(self, locator: Locator) -> bool:
        """Return whether the audio at `locator` is uploaded audio."""
        ...

    def create(self) -> Locator:
        """Return the locator of new audio without bytes, under a name that was never used. Raises `StorageFull`."""
        ...

    def open(self, locator: Locator) -> UploadFile:
        """Open uploaded audio for a writer. Raises `UploadNotFound`."""
        ...

    def find(self, locator: Locator) -> StoredUpload:
        """Return what is stored at `locator`. Raises `UploadNotFound`."""
        ...

    def delete(self, locator: Locator) -> None:
        """Delete the audio. Those who have it open read on. Safe to repeat."""
        ...

    def stored(self) -> Collection[StoredUpload]:
        """Return all audio that is stored, and count again how much that is."""
        ...


class UploadObserver(Protocol):
    """Observes uploads, for metrics and logs. An upload here is one request that writes."""

    def upload_started(self, stream_id: str, epoch: str, offset: int) -> None:
        """Record that a request uploads the audio of a stream, from byte `offset` on."""
        ...

    def upload_ended(self, stream_id: str, epoch: str, outcome: str, byte_count: int, seconds: float) -> None:
        """Record that the request has ended after `seconds`, with `byte_count` bytes taken.

        `outcome` is `complete`, `paused` (more is to follow), `cut` (the connection was lost), or an `error_code`.
        """
        ...
