"""The catalog: which streams exist."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf, nextafter
from typing import Any

from asf.domain.clock import Clock
from asf.domain.errors import CatalogUnavailable, InvalidFilepath, InvalidStreamId, StreamNotFound
from asf.domain.identifiers import stream_id_problem
from asf.domain.streams.ports import AudioLocations, CatalogStore, StreamWatcher
from asf.domain.streams.stream import AudioStream, Locator, StreamState

ATTEMPTS = 10
"""Maximum attempts when others change the same stream."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a backend announces about a stream.

    `locator` comes from `StreamCatalog.locate`. It may be None only if the stream is known; it is unchanged then.
    """

    stream_id: str
    locator: Locator | None
    state: StreamState = StreamState.COMPLETE
    content_type: str | None = None
    metadata: Mapping[str, Any] | None = None
    reason: str | None = None


class StreamCatalog:
    """Takes announcements of audio, and looks up streams.

    It holds at most `max_streams`. `make_epoch` returns a new unique string at each call.
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
        self._followers: Counter[str] = Counter()

    @property
    def is_local(self) -> bool:
        """Whether no method waits for another machine."""
        return self._store.is_local

    def watch(self, watcher: StreamWatcher) -> None:
        """Call `watcher` with each change of a followed stream; see `StreamChanges.on_change`."""
        self._store.on_change.connect(watcher)

    def follow(self, stream_id: str) -> AudioStream | None:
        """Report the stream's changes to the watchers, and return its current value (None: unknown or deleted).

        Reference-counted; pair every call with `unfollow`. Raises `CatalogUnavailable` if the store cannot be
        reached; the watchers get the current value once it can be.
        """
        self._followers[stream_id] += 1
        return self._store.follow(stream_id)

    def unfollow(self, stream_id: str) -> None:
        """Undo one `follow`."""
        self._followers[stream_id] -= 1
        if not self._followers[stream_id]:
            del self._followers[stream_id]
            self._store.unfollow(stream_id)

    def locate(self, filepath: str) -> Locator:
        """Return the locator to announce audio at `filepath` with. Raises `InvalidFilepath`."""
        return self._locations.locate(filepath)

    def announce(self, announcement: Announcement) -> AudioStream:
        """Store an announcement, and return the stream as it is now.

        Announcing the same locator again changes the state, and keeps the epoch and all fields that are not given.
        Another locator, or `generating` after the audio has ended, starts a new epoch. Raises `InvalidStreamId`,
        `InvalidFilepath`, `CatalogFull` or `CatalogUnavailable`; then the stream is unchanged.
        """
        if problem := stream_id_problem(announcement.stream_id):
            raise InvalidStreamId(problem)
        for _ in range(ATTEMPTS):
            known = self._store.get(announcement.stream_id)
            stream = self._decide(announcement, known)
            if self._store.put(stream, known, self._max_streams):
                return stream
        raise CatalogUnavailable("Too many concurrent changes of this stream; try again.")

    def find(self, stream_id: str) -> AudioStream:
        """Return the stream with that id. Raises `StreamNotFound` or `CatalogUnavailable`."""
        if problem := stream_id_problem(stream_id):
            raise StreamNotFound(problem)
        stream = self._store.get(stream_id)
        if stream is None:
            raise StreamNotFound
        return stream

    def page(self, limit: int, after: str = "") -> list[AudioStream]:
        """Return at most `limit` streams in the order of their ids, those after `after`.

        Raises `CatalogUnavailable`.
        """
        return self._store.page(limit, after)

    def delete(self, stream_id: str) -> None:
        """Delete the stream. Its listeners finish with the audio that has been written.

        Raises `StreamNotFound` or `CatalogUnavailable`.
        """
        for _ in range(ATTEMPTS):
            if self._store.delete(self.find(stream_id)):
                return
        raise CatalogUnavailable("Too many concurrent changes of this stream; try again.")

    def give_up(self, stream: AudioStream, seconds: float) -> bool:
        """Store that the generation of `stream` has failed, as it has not grown for `seconds`.

        Returns False and changes nothing if it has ended or was regenerated or deleted, if it was announced again
        within that time, so that its producer is at work, or if its audio has an end marker. Raises
        `CatalogUnavailable`.
        """
        for _ in range(ATTEMPTS):
            known = self._store.get(stream.stream_id)
            if known is None or known.epoch != stream.epoch or not self._is_abandoned(known, seconds):
                return False
            failed = replace(known, state=StreamState.FAILED, reason=f"The audio has not grown for {seconds:g} s.")
            if self._store.put(failed, known, self._max_streams):
                return True
        raise CatalogUnavailable("Too many concurrent changes of this stream; try again.")

    def _is_abandoned(self, stream: AudioStream, seconds: float) -> bool:
        """Return whether a stream whose audio has not grown for `seconds` may be given up."""
        return (
            stream.state is StreamState.GENERATING
            and not stream.locator.has_end_marker
            and self._clock.timestamp() - stream.announced_at >= seconds
        )

    def _decide(self, announcement: Announcement, known: AudioStream | None) -> AudioStream:
        """Return the stream after the announcement. Before, it was `known` (None: not announced)."""
        locator = self._locator(announcement, known)
        if announcement.state is StreamState.GENERATING and not locator.may_grow:
            raise InvalidFilepath("An object appears complete or not at all: announce it when it is complete.")
        stream = AudioStream(
            announcement.stream_id,
            locator,
            announcement.state,
            self._make_epoch(),
            announcement.content_type,
            announcement.metadata,
            announcement.reason,
            _later(self._clock.timestamp(), known),
        )
        if known is None or known.locator != locator or _is_regenerated(known, announcement):
            return stream
        return replace(
            stream,
            epoch=known.epoch,
            content_type=announcement.content_type or known.content_type,
            metadata=known.metadata if announcement.metadata is None else announcement.metadata,
        )

    def _locator(self, announcement: Announcement, known: AudioStream | None) -> Locator:
        if announcement.locator is not None:
            return announcement.locator
        if known is None:
            raise InvalidFilepath("'filepath' is required: no stream is announced under this id.")
        return known.locator


def _later(timestamp: float, known: AudioStream | None) -> float:
    """Return `timestamp`, or the next possible one after that of `known`: clocks differ, and are set back."""
    return timestamp if known is None else max(timestamp, nextafter(known.announced_at, inf))


def _is_regenerated(known: AudioStream, announcement: Announcement) -> bool:
    return announcement.state is StreamState.GENERATING and known.state is not StreamState.GENERATING
