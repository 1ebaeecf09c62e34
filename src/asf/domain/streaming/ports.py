"""What streaming needs from outside."""

from collections.abc import Callable, Hashable, Mapping
from typing import Protocol

from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.events import ListenerEvent
from asf.domain.streams.ports import AudioLocations
from asf.domain.streams.stream import AudioEnding, Locator


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

    def finalize(self) -> int:
        """Do as `refresh`, and from now on be an audio that was opened as one that does not grow."""
        ...

    def close(self) -> None:
        """Free what the source holds. Closing twice does no harm; reading afterwards is an error."""
        ...


class AudioSources(AudioLocations, Protocol):
    """Finds and opens audio."""

    def unreachable(self) -> Mapping[str, str]:
        """Return the places of audio that cannot be read now, and why. Empty if all can be."""
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

    def detach(self) -> None:
        """Forget the callback, as the session is over. Called once; nothing is emitted or sent after it.

        What was taken before is still sent, and the connection stays open: the listener may join again on it. Calls
        nothing back.
        """
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
