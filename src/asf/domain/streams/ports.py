"""What the catalog needs from outside."""

from collections.abc import Callable, Mapping
from typing import Protocol

from asf.domain.signal import Signal
from asf.domain.streams.stream import AudioStream, Locator, StreamState

StreamWatcher = Callable[[str, AudioStream | None], object]
"""Called with the id of a stream and its current value; None: it was deleted."""


class StreamStore(Protocol):
    """Stores the announced streams. Several servers may share it.

    Every method raises `CatalogUnavailable` when the store cannot be reached, and all but `peek` may yield.
    """

    def get(self, stream_id: str) -> AudioStream | None:
        """Return the stream with that id, or None."""
        ...

    def peek(self, stream_id: str) -> AudioStream | None:
        """Return what `get` would if that is known, and nobody has to follow the stream; else None.

        A stream that is being generated has to be followed, which waits unless the store is local. A change is known
        when the call that has made it returns; one that fails, after a second at most. Never yields.
        """
        ...

    def put(self, stream: AudioStream, instead_of: AudioStream | None, max_streams: int) -> bool:
        """Store `stream` if `instead_of` is stored under its id now (None: nothing), and return whether it was.

        Atomic: of two concurrent callers, one gets False and must decide again. The stream is stored when this
        returns, whatever watchers do. Raises `CatalogFull` if there would be more than `max_streams`.
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
        """Return how many streams there are in each state. A missing state has none. Takes constant time."""
        ...


class StreamChanges(Protocol):
    """Reports the changes of followed streams, whichever server made them, this one included.

    `on_change` is called with each change of a followed stream:

    - Changes of one stream are reported in order, one at a time; those of different streams concurrently.
    - The call is made before the `put` or `delete` of the change returns, in its task, or later in another task.
    - It may yield. An exception that it raises is logged, and neither loses the change nor makes `put` fail.
    - After `follow` has returned a stream, no older value is reported, even if its change was on its way by then.
    - Values may be repeated. After a reconnection, intermediate values may be missing.
    - Changes of streams that are not followed are not reported.
    """

    @property
    def on_change(self) -> Signal[str, AudioStream | None]:
        """Called with the id of a stream and its current value; None: it was deleted."""
        ...

    def follow(self, stream_id: str) -> AudioStream | None:
        """Report the changes of the stream from now on, and return its current value, or None.

        The value is not older than any that was reported before. May yield. Following twice is the same as once, and
        returns the current value again. Raises `CatalogUnavailable`; the stream is nevertheless
        followed, and its current value, if there is one, is reported once the store can be reached again.
        """
        ...

    def unfollow(self, stream_id: str) -> None:
        """Report no more changes of the stream. A call that is under way continues. Raises nothing."""
        ...


class HealthCheck(Protocol):
    """Something whose failure makes the server unready."""

    def check(self) -> None:
        """Raise `CatalogUnavailable` unless streams can be read, stored and followed now. Changes nothing."""
        ...


class CatalogStore(StreamStore, StreamListing, StreamChanges, HealthCheck, Protocol):
    """The storage of the catalog."""

    @property
    def is_local(self) -> bool:
        """Whether no method waits for another machine."""
        ...

    def close(self) -> None:
        """Release the store's resources; it must not be used afterwards. Safe to repeat."""
        ...


class AudioLocations(Protocol):
    """Resolves the file paths of announcements."""

    def locate(self, filepath: str) -> Locator:
        """Return the locator of `filepath`. The audio need not exist yet.

        Raises `InvalidFilepath` for a path that may not be read.
        """
        ...
