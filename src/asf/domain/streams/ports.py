"""What the catalog needs from outside."""

from collections.abc import Callable, Mapping
from typing import Protocol

from asf.domain.streams.stream import AudioStream, Locator, StreamState

StreamWatcher = Callable[[str, AudioStream | None], None]
"""Told the id of a stream that was announced or deleted, and what it is now (None: it is no more)."""


class CatalogStore(Protocol):
    """Keeps the announced streams, for all servers that share it.

    Every method raises `CatalogUnavailable` when it cannot do its work now. `on_change`, set by the catalog, is
    called whenever a stream that is followed has changed, through this server or another, and perhaps more often.
    """

    on_change: StreamWatcher

    def follow(self, stream_id: str) -> AudioStream | None:
        """Tell of the changes of the stream from now on, and return what it is, or None.

        Where it raises, both are told as soon as they can be, until `unfollow` all the same.
        """
        ...

    def unfollow(self, stream_id: str) -> None:
        """Tell of the stream's changes no more. Raises nothing."""
        ...

    def put(self, stream: AudioStream, instead_of: AudioStream | None, max_streams: int) -> bool:
        """Keep `stream` if `instead_of` is what is kept under its id now (None: nothing), and tell whether it was.

        All in one step, so that of two who decide at the same time the second one has to decide anew. It is kept when
        this returns. Raises `CatalogFull` where it would be one more than `max_streams`.
        """
        ...

    def get(self, stream_id: str) -> AudioStream | None:
        """Return the stream of that id, or None."""
        ...

    def delete(self, stream: AudioStream) -> bool:
        """Forget `stream` if it is what is kept under its id now, and tell whether it was."""
        ...

    def page(self, limit: int, after: str) -> list[AudioStream]:
        """Return at most `limit` streams in the order of their ids (by code points), those behind `after`."""
        ...

    def size(self) -> int:
        """Return how many streams are kept, without looking at each."""
        ...

    def count(self) -> Mapping[StreamState, int]:
        """Return how many streams of each state are kept. A state that is left out has none."""
        ...

    def check(self) -> None:
        """Look whether streams can be read and kept now. Changes nothing."""
        ...

    def close(self) -> None:
        """Give back what the store holds open; nothing may be asked of it after that. Closing twice does no harm."""
        ...


class AudioLocations(Protocol):
    """Knows which file paths of announcements can be read."""

    def locate(self, filepath: str) -> Locator:
        """Return where `filepath` points. The audio need not exist yet.

        Raises `InvalidFilepath` when it points to nothing that may be read.
        """
        ...
