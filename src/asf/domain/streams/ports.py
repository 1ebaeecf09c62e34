"""What the catalog needs from outside."""

from collections.abc import Callable, Mapping
from typing import Protocol

from asf.domain.signal import Signal
from asf.domain.streams.stream import AudioStream, Locator, StreamState

StreamWatcher = Callable[[str, AudioStream | None], object]
"""Called with the id of a stream and what it is now; None: it was deleted."""


class StreamStore(Protocol):
    """Stores the announced streams, for all servers that share it.

    Every method raises `CatalogUnavailable` when the store cannot be reached, and may yield.
    """

    def get(self, stream_id: str) -> AudioStream | None:
        """Return the stream of that id, or None."""
        ...

    def put(self, stream: AudioStream, instead_of: AudioStream | None, max_streams: int) -> bool:
        """Store `stream` if `instead_of` is stored under its id now (None: nothing), and return whether it was.

        One atomic step: of two callers at the same time, one gets False and must decide again. The stream is stored
        when this returns, whatever watchers do. Raises `CatalogFull` if it would be one more than `max_streams`.
        """
        ...

    def delete(self, stream: AudioStream) -> bool:
        """Delete `stream` if it is stored under its id now, and return whether it was."""
        ...


class StreamListing(Protocol):
    """Reads many streams at once. Every method raises `CatalogUnavailable` and may yield."""

    def page(self, limit: int, after: str) -> list[AudioStream]:
        """Return at most `limit` streams in the order of their ids (by code points), those after `after`."""
        ...

    def count(self) -> Mapping[StreamState, int]:
        """Return how many streams of each state there are. A missing state has none. Takes constant time."""
        ...


class StreamChanges(Protocol):
    """Reports the changes of streams that are followed, by whichever server they were made, this one included.

    `on_change` is called with each change of a followed stream:

    - For one stream in order and one at a time; different streams side by side.
    - Before the `put` or `delete` of the change returns, in its task, or later and in another task.
    - It may yield. An exception that it raises is logged, and neither loses the change nor makes `put` fail.
    - Repeated values are possible, also after reconnecting. Intermediate values may be missing then.
    - Changes of streams that are not followed are not reported.
    """

    @property
    def on_change(self) -> Signal[str, AudioStream | None]:
        """Called with the id of a stream and what it is now; None: it was deleted."""
        ...

    def follow(self, stream_id: str) -> AudioStream | None:
        """Report the changes of the stream from now on, and return what it is, or None.

        May yield. Following twice is the same as once. Raises `CatalogUnavailable`; the stream is followed all the
        same, and its current value, if there is one, is reported once the store can be reached again.
        """
        ...

    def unfollow(self, stream_id: str) -> None:
        """Report no more changes of the stream; a call that is under way continues. Raises nothing."""
        ...


class HealthCheck(Protocol):
    """Something whose failure makes the server unready."""

    def check(self) -> None:
        """Raise `CatalogUnavailable` unless streams can be read, stored and followed now. Changes nothing."""
        ...


class CatalogStore(StreamStore, StreamListing, StreamChanges, HealthCheck, Protocol):
    """The storage of the catalog."""

    def close(self) -> None:
        """Release what the store holds open; it must not be used after that. Safe to repeat."""
        ...


class AudioLocations(Protocol):
    """Resolves the file paths of announcements."""

    def locate(self, filepath: str) -> Locator:
        """Return the locator of `filepath`. The audio need not exist yet.

        Raises `InvalidFilepath` for a path that may not be read.
        """
        ...
