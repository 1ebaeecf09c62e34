"""The ports: all that the domain needs from outside. Adapters implement them, the container connects them."""

from collections.abc import Callable, Hashable, Mapping
from typing import Protocol

from asf.domain.audio import AudioBatch
from asf.domain.errors import AsfError
from asf.domain.events import ListenerEvent
from asf.domain.grants import Grant
from asf.domain.streams import AudioEnding, AudioStream, Locator, StreamState
from asf.domain.updates import Appended, Handover, Position, Recovery, SequencedUpdate, Subscription, UiUpdate


class Clock(Protocol):
    """Time. The only source of it in the domain."""

    def now(self) -> float:
        """Return seconds from an arbitrary start; never goes backwards. For durations and due times."""
        ...

    def timestamp(self) -> float:
        """Return seconds since the Unix epoch. For people and messages."""
        ...


class TokenVerifier(Protocol):
    """Tells what tokens grant."""

    def verify(self, token: object, timestamp: float) -> Grant:
        """Return what `token`, anything that a client may send as one, grants at `timestamp`.

        `timestamp` is in seconds since the Unix epoch; the grant ends later than that. Raises `Unauthorized` for
        what is no authentic token, and for one that is not valid then; its details do not repeat the token.
        """
        ...


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


class AudioSource(Protocol):
    """One opened audio. What it yields stays the same bytes whatever happens to the name it was opened by.

    Nothing here waits: what has to be fetched first is fetched while others have their turns. Whoever opened the
    audio sets `on_arrival`, which is called as soon as anything that `read` was asked for, and had to fetch, is there
    or cannot be had; after `close` it is not called any more.
    """

    on_arrival: Callable[[], None]

    @property
    def size(self) -> int:
        """Length in bytes, as it was when the audio was opened, or at the last `refresh`."""
        ...

    @property
    def content_type(self) -> str:
        """The media type, such as `audio/mpeg`."""
        ...

    @property
    def identity(self) -> Hashable:
        """Equal for two sources only if they yield the same bytes. Listeners share a source by it."""
        ...

    @property
    def ending(self) -> AudioEnding | None:
        """How the audio has ended, as of the last `refresh`, where it tells that itself; else None.

        Once it has ended, `size` and `identity` change no more.
        """
        ...

    def read(self, offset: int, length: int) -> bytes | None:
        """Return exactly `length` bytes from `offset` on, which lie within `size`, or None while they are fetched.

        After None, `on_arrival` will be called; whoever still wants the bytes then reads again. Raises
        `AudioUnavailable` when they cannot be had, and `AudioChanged` when they may be others than they were: the
        source was changed, other than by growing where it was opened as one that grows.
        """
        ...

    def refresh(self) -> int:
        """Return the length that an audio opened as growing has by now, in bytes.

        Raises `AudioChanged` when it is shorter than it was, was begun anew, or is not at its place any more.
        """
        ...

    def settle(self) -> int:
        """Do as `refresh`, and from now on be an audio that was opened as one that does not grow."""
        ...

    def close(self) -> None:
        """Free what the source holds. Closing twice does no harm; reading afterwards is an error."""
        ...


class AudioSources(Protocol):
    """Finds and opens audio."""

    def unreachable(self) -> Mapping[str, str]:
        """Return the places of audio that cannot be read now, and why. Empty if all can be."""
        ...

    def locate(self, filepath: str) -> Locator:
        """Return where `filepath` points. The audio need not exist yet.

        Raises `InvalidFilepath` when it points to nothing that may be read.
        """
        ...

    def content_type_of(self, locator: Locator) -> str | None:
        """Return the media type that the name of the audio tells, which need not exist yet; None if it tells none."""
        ...

    def open(self, locator: Locator, *, growing: bool = False) -> AudioSource:
        """Open the audio, as one that is still growing or as one that is not. Others may have their turns meanwhile.

        A growing one that does not tell its own end is opened at once, or raises. Raises `AudioUnavailable` when it
        is missing, unreadable or not allowed (any more).
        """
        ...


class ListenerEmitter(Protocol):
    """The way to one listener."""

    def emit(self, *events: ListenerEvent) -> None:
        """Tell the listener about `events`, after all audio and events that were handed over before them."""
        ...

    def send_audio(self, batch: AudioBatch, start: int, stop: int) -> int:
        """Send the bytes from `start` to `stop` (exclusive; both are offsets in the audio, inside `batch`).

        Returns how many were taken, from `start` on. Fewer than asked for means that the listener cannot take
        more now: back-pressure. What was taken is sent; the rest is the caller's to offer again.
        """
        ...

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, as soon as the listener may take audio again. A later call replaces it."""
        ...

    def close(self) -> None:
        """Forget the callback. What was taken before is still sent, and the connection stays open."""
        ...

    def break_off(self) -> None:
        """End the connection at once, as nothing can be told on it."""
        ...


class Timer(Protocol):
    """Something that wants a turn at certain times, besides the sessions that are due."""

    @property
    def next_time(self) -> float | None:
        """When the next turn is wanted, in seconds of the clock; None for never as things are."""
        ...

    def fire(self, now: float) -> None:
        """Do what is to be done by `now`."""
        ...


class StreamingObserver(Protocol):
    """Whoever wants to know what happens to listeners, such as metrics."""

    def joined(self, stream_id: str) -> None:
        """Take note that a session on the stream has begun, or waits for the stream."""
        ...

    def first_audio_sent(self, seconds: float) -> None:
        """Take note that a session's first audio was taken, so many seconds after it began."""
        ...

    def ended(self, stream_id: str, outcome: str, sent_bytes: int, seconds: float) -> None:
        """Take note that a session on the stream has ended, after so many seconds and bytes of audio.

        `outcome` is `complete`, `left`, or the `error_code` of what ended it.
        """
        ...

    def pump_lagged(self, seconds: float) -> None:
        """Take note that a tick was served so many seconds after it was due."""
        ...


class UpdateLog(Protocol):
    """Numbers the updates of each client, keeps the latest for subscribers that come back, and tells of new ones.

    The numbers of one client are 1, 2, 3 … within an epoch; a log that has forgotten them begins another epoch.
    One that is kept elsewhere, for several servers, lets others run while it is asked, and raises `UiEmitFailed`
    where that cannot be reached; an update may be kept all the same.
    """

    on_appended: Callable[[SequencedUpdate], int]
    """Called with each update that is kept of a client that is followed, whichever server it came to: in their order.

    Returns how many connections it was handed to. None is left out, but for what `on_interrupted` tells of.
    """

    on_interrupted: Callable[[], object]
    """Called when updates may have been left out. It is called again, later, when it raises `UiEmitFailed`."""

    def append(self, update: UiUpdate, timestamp: float, now: float) -> Appended:
        """Keep `update` under the next number, unless its idempotency key shows that it was kept before.

        `timestamp` is the time now, in seconds since the Unix epoch, for whoever reads the update; `now` is the
        clock's, by which things grow old. Raises `IdempotencyConflict` when the key belongs to another update, and
        what `on_appended` raises where that is called at once; the update is kept then.
        """
        ...

    def recover(self, client_id: str, since: Position | None, now: float) -> Recovery:
        """Return the client's updates behind `since`, or none where some of those are no longer kept.

        Without `since` only the latest place is asked for.
        """
        ...

    def follow(self, client_id: str) -> None:
        """Take note of one more subscriber to the client. `on_appended` is called from the return of this on."""
        ...

    def unfollow(self, client_id: str) -> None:
        """Take note of one subscriber less, after a `follow` that has returned. Waits for nothing."""
        ...


class UiUpdateEmitter(Protocol):
    """The way to the connections that subscribed to UI updates."""

    def confirm(self, connection_id: str, subscription: Subscription) -> Handover:
        """Tell a connection what it has subscribed to, and send what it missed, with the places of the updates.

        Raises `UiEmitFailed` when the transport fails; the connection is broken off then.
        """
        ...

    def emit(self, connection_id: str, update: SequencedUpdate, *, with_position: bool) -> Handover:
        """Hand `update` to the transport of one connection, behind all that was handed to it before.

        `with_position` tells the connection the place of the update, too. Raises `UiEmitFailed` when the transport
        fails; the connection is broken off then.
        """
        ...

    def break_off(self, connection_id: str) -> None:
        """End the connection at once, so that its client comes back. An unknown one does no harm."""
        ...

    def end(self, connection_id: str, client_id: str, reason: AsfError) -> Handover:
        """Tell a connection why its subscription has ended, behind all that was handed to it before.

        Raises `UiEmitFailed` when the transport fails; the connection is broken off then.
        """
        ...


class UiUpdateObserver(Protocol):
    """Whoever wants to know what happens to UI updates, such as metrics."""

    def relayed(self, outcome: str, seconds: float) -> None:
        """Take note that an update was dealt with in so many seconds.

        `outcome` is `relayed`, `no_subscriber`, `duplicate`, or the `error_code` of what went wrong.
        """
        ...

    def recovered(self, outcome: str) -> None:
        """Take note that a subscriber came back: `recovered` or `not_recovered`."""
        ...

    def subscriber_dropped(self) -> None:
        """Take note that a subscriber was given up, as it did not read."""
        ...
