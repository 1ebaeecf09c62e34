"""The catalog: which streams exist."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from asf.domain.clock import Clock
from asf.domain.errors import CatalogUnavailable, InvalidFilepath, StreamNotFound
from asf.domain.identifiers import stream_id_problem
from asf.domain.streams.ports import AudioLocations, CatalogStore, StreamWatcher
from asf.domain.streams.stream import AudioStream, Locator, StreamState

ATTEMPTS = 10
"""How often it is decided what an announcement means, while others announce the same stream."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a backend says about a stream. `filepath` may be left out where the stream is known and has failed."""

    stream_id: str
    filepath: str | None
    state: StreamState = StreamState.COMPLETE
    content_type: str | None = None
    metadata: Mapping[str, Any] | None = None
    reason: str | None = None


class StreamCatalog:
    """Takes announcements of audio and answers what a stream id stands for.

    It holds at most `max_streams`. `make_epoch` returns another text at every call.
    """

    def __init__(
        self,
        store: CatalogStore,
        locations: AudioLocations,
        clock: Clock,
        make_epoch: Callable[[], str],
        max_streams: int,
    ) -> None:
        self._store = store
        self._locations = locations
        self._clock = clock
        self._make_epoch = make_epoch
        self._max_streams = max_streams
        self._watchers: list[StreamWatcher] = []
        self._followed: Counter[str] = Counter()
        store.on_change = self._tell

    def watch(self, watcher: StreamWatcher) -> None:
        """Call `watcher` whenever a stream that is followed has been announced or deleted, on whichever server."""
        self._watchers.append(watcher)

    def follow(self, stream_id: str) -> AudioStream | None:
        """Let the watchers be told of the stream, and return what it is by now; None: nothing, or deleted.

        Once for everybody whom it concerns, each of whom calls `unfollow` in the end. Raises `CatalogUnavailable`
        where nothing can be said now; the watchers are told as soon as it can.
        """
        self._followed[stream_id] += 1
        if self._followed[stream_id] == 1:
            return self._store.follow(stream_id)
        try:
            return self._store.get(stream_id)
        except CatalogUnavailable:
            return self._store.follow(stream_id)  # Which sees to it that the watchers are told.

    def unfollow(self, stream_id: str) -> None:
        """Take note that one of those whom the stream concerned is gone."""
        self._followed[stream_id] -= 1
        if not self._followed[stream_id]:
            del self._followed[stream_id]
            self._store.unfollow(stream_id)

    def announce(self, announcement: Announcement) -> AudioStream:
        """Keep what is said about a stream, and return the stream as it is now.

        The same locator again moves the state on and keeps the epoch, and whatever else is not said anew. Another
        locator, or generating after an end, starts a new epoch. Raises `InvalidStreamId`, `InvalidFilepath`,
        `CatalogFull` or `CatalogUnavailable`; then the stream is what it was.
        """
        for _ in range(ATTEMPTS):
            known = self._store.get(announcement.stream_id)
            stream = self._decide(announcement, known)
            if self._store.put(stream, known, self._max_streams):
                return stream
        raise CatalogUnavailable("Too many announce this stream at the same time.")

    def find(self, stream_id: str) -> AudioStream:
        """Return the stream of that id. Raises `StreamNotFound` or `CatalogUnavailable`."""
        if problem := stream_id_problem(stream_id):
            raise StreamNotFound(problem)
        stream = self._store.get(stream_id)
        if stream is None:
            raise StreamNotFound
        return stream

    def check_filepath(self, filepath: str) -> None:
        """Raise `InvalidFilepath` where audio at `filepath` could not be announced."""
        self._locations.locate(filepath)

    def page(self, limit: int, after: str = "") -> list[AudioStream]:
        """Return at most `limit` streams in the order of their ids, those behind `after`.

        Raises `CatalogUnavailable`.
        """
        return self._store.page(limit, after)

    def delete(self, stream_id: str) -> None:
        """Forget the stream; who listens finishes on what there is.

        Raises `StreamNotFound` or `CatalogUnavailable`.
        """
        for _ in range(ATTEMPTS):
            if self._store.delete(self.find(stream_id)):
                return
        raise CatalogUnavailable("Too many announce this stream at the same time.")

    def _decide(self, announcement: Announcement, known: AudioStream | None) -> AudioStream:
        """Return what the stream, which was `known` before, is after the announcement."""
        locator = self._locator(announcement, known)
        if announcement.state is StreamState.GENERATING and not locator.may_grow:
            raise InvalidFilepath("An object is there as a whole or not at all: announce it when it is complete.")
        stream = AudioStream(
            announcement.stream_id,
            locator,
            announcement.state,
            self._make_epoch(),
            announcement.content_type,
            announcement.metadata,
            announcement.reason,
            self._clock.timestamp(),
        )
        if known is None or known.locator != locator or _begins_anew(known, announcement):
            return stream
        return replace(
            stream,
            epoch=known.epoch,
            content_type=announcement.content_type or known.content_type,
            metadata=known.metadata if announcement.metadata is None else announcement.metadata,
        )

    def _locator(self, announcement: Announcement, known: AudioStream | None) -> Locator:
        if announcement.filepath is not None:
            return self._locations.locate(announcement.filepath)
        if known is None:
            raise InvalidFilepath("It is missing, and the stream is not known.")
        return known.locator

    def _tell(self, stream_id: str, stream: AudioStream | None) -> None:
        if stream_id in self._followed:
            for watcher in self._watchers:
                watcher(stream_id, stream)


def _begins_anew(known: AudioStream, announcement: Announcement) -> bool:
    return announcement.state is StreamState.GENERATING and known.state is not StreamState.GENERATING
