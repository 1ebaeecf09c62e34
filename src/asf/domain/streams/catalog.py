"""The catalog: which streams exist."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf, nextafter
from typing import Any

from asf.domain.clock import Clock
from asf.domain.errors import CatalogUnavailable, InvalidFilepath, InvalidStreamId, StreamNotFound
from asf.domain.identifiers import stream_id_problem
from asf.domain.signal import Signal
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
        self.on_ended: Signal[AudioStream] = Signal()
        """Called with each stream that has become complete or failed, on the server that did it. Must not raise."""
        self._followers: Counter[str] = Counter()
        self.on_epoch_end: Signal[str, str | None] = Signal()
        """Called with the id of a stream whose epoch has ended here, and its new epoch (None: it was deleted)."""

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
            if self._put(stream, known):
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

    def find_at_once(self, stream_id: str) -> AudioStream | None:
        """Return the stream with that id if it is known without asking the store; else None.

        Its epoch may have ended a moment ago, by a change that is not answered yet. Never yields, and raises nothing.
        """
        return self._store.peek(stream_id)

    def page(self, limit: int, after: str = "") -> list[AudioStream]:
        """Return at most `limit` streams in the order of their ids, those after `after`.

        Raises `CatalogUnavailable`.
        """
        return self._store.page(limit, after)

    def delete(self, stream_id: str) -> AudioStream:
        """Delete the stream, and return its last value. Its listeners finish with the audio that has been written.

        Raises `StreamNotFound` or `CatalogUnavailable`.
        """
        for _ in range(ATTEMPTS):
            stream = self.find(stream_id)
            if self._delete(stream):
                return stream
        raise CatalogUnavailable("Too many concurrent changes of this stream; try again.")

    def forget(self, stream: AudioStream) -> bool:
        """Delete `stream` unless it has changed meanwhile, and return whether it was deleted.

        Raises `CatalogUnavailable`.
        """
        return self._delete(stream)

    def give_up(self, stream: AudioStream, seconds: float) -> bool:
        """Store that the generation of `stream` has failed, as it has not grown for `seconds`.

        Returns False and changes nothing if it has ended or was regenerated or deleted, if it was announced again
        within that time, so that its producer is at work, or if its audio has an end marker. Raises
        `CatalogUnavailable`.
        """
        reason = f"The audio has not grown for {seconds:g} s."

        def failed(known: AudioStream) -> AudioStream | None:
            is_abandoned = self._is_abandoned(known, seconds)
            return replace(known, state=StreamState.FAILED, reason=reason) if is_abandoned else None

        return self._change_generation(stream, failed) is not None

    def renew(self, stream: AudioStream) -> AudioStream | None:
        """Store that the producer of `stream` is at work, and return the stream as it is now.

        Returns None and changes nothing if it has ended or was regenerated or deleted. Raises `CatalogUnavailable`.
        """
        return self._change_generation(stream, lambda known: known)

    def end(self, stream: AudioStream, state: StreamState, reason: str | None = None) -> AudioStream | None:
        """Store that the generation of `stream` has ended, and return the stream as it is now.

        Returns None and changes nothing if it has ended otherwise or was regenerated or deleted. Raises
        `CatalogUnavailable`.
        """
        return self._change_generation(stream, lambda known: replace(known, state=state, reason=reason))

    def _delete(self, stream: AudioStream) -> bool:
        """Delete `stream` unless it has changed meanwhile, and report that its epoch has ended."""
        is_deleted = self._store.delete(stream)
        if is_deleted:
            self.on_epoch_end(stream.stream_id, None)
        return is_deleted

    def _change_generation(
        self, stream: AudioStream, change: Callable[[AudioStream], AudioStream | None]
    ) -> AudioStream | None:
        """Store what `change` returns for the current value of `stream`, while that generation is under way.

        Returns it, or None if the generation is over, or `change` has returned None.
        """
        for _ in range(ATTEMPTS):
            known = self._store.get(stream.stream_id)
            if known is None or known.epoch != stream.epoch or known.state is not StreamState.GENERATING:
                return None
            changed = change(known)
            if changed is None:
                return None
            changed = replace(changed, announced_at=_later(self._clock.timestamp(), known))
            if self._put(changed, known):
                return changed
        raise CatalogUnavailable("Too many concurrent changes of this stream; try again.")

    def _put(self, stream: AudioStream, known: AudioStream | None) -> bool:
        """Store `stream` if `known` is stored now, and return whether it was. Report what has ended by it."""
        if not self._store.put(stream, known, self._max_streams):
            return False
        was = None if known is None else (known.epoch, known.state)
        if stream.state is not StreamState.GENERATING and was != (stream.epoch, stream.state):
            self.on_ended(stream)
        if known is not None and known.epoch != stream.epoch:
            self.on_epoch_end(stream.stream_id, stream.epoch)
        return True

    def _is_abandoned(self, stream: AudioStream, seconds: float) -> bool:
        """Return whether a stream whose audio has not grown for `seconds` may be given up."""
        return not stream.locator.has_end_marker and self._clock.timestamp() - stream.announced_at >= seconds

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
