"""What streaming needs from outside."""

from collections.abc import Callable, Hashable, Mapping
from typing import Protocol

from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.events import ListenerEvent
from asf.domain.streams.ports import AudioLocations
from asf.domain.streams.stream import AudioEnding, Locator


class AudioSource(Protocol):
    """One opened audio. It yields the same bytes whatever happens to the name that it was opened by.

    No method blocks: bytes that are not at hand are fetched in the background. `on_arrival`, set by the caller of
    `open`, is called as soon as bytes that `read` had to fetch are there or have failed; never after `close`.
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
        """How the audio has ended, as of the last `refresh`, where the source knows that itself; otherwise None.

        From then on `size` and `identity` are final.
        """
        ...

    def read(self, offset: int, length: int) -> bytes | None:
        """Return exactly `length` bytes from `offset` on, which lie within `size`, or None while they are fetched.

        After None, `on_arrival` is called once it is worth reading again. Raises `AudioUnavailable` when the bytes
        cannot be read, and `AudioChanged` when they may not be the original ones: the audio was changed in another
        way than by growing, or at all where it was not opened as growing.
        """
        ...

    def refresh(self) -> int:
        """Return the present length of an audio opened as growing, in bytes.

        Raises `AudioChanged` when it has shrunk, or was rewritten, moved or replaced.
        """
        ...

    def finalize(self) -> int:
        """As `refresh`; from then on the source behaves as one that was not opened as growing."""
        ...

    def close(self) -> None:
        """Free what the source holds. A second call does nothing; reading afterwards is an error."""
        ...


class AudioSources(AudioLocations, Protocol):
    """Finds and opens audio."""

    def unreachable(self) -> Mapping[str, str]:
        """Return the locations that cannot be read now, such as a root or a bucket, each with the reason."""
        ...

    def content_type_of(self, locator: Locator) -> str | None:
        """Return the media type that the name suggests, or None. The audio need not exist yet."""
        ...

    def open(self, locator: Locator, *, growing: bool = False) -> AudioSource:
        """Open the audio, as one that is still growing or as one that is not.

        May yield to other tasks, except for growing audio that does not tell its own end. Raises `AudioUnavailable`
        when the audio is missing, unreadable, or outside of what may be read.
        """
        ...


class ListenerEmitter(Protocol):
    """The connection to one listener, for one session. What its methods raise ends the session."""

    def emit(self, *events: ListenerEvent) -> None:
        """Send `events` to the listener, after all audio and events that were passed before."""
        ...

    def send_audio(self, batch: AudioBatch, start: int, stop: int) -> int:
        """Send the bytes from `start` to `stop` (exclusive; both are offsets in the audio, inside `batch`).

        Returns how many bytes were taken, from `start` on. Fewer than offered means back-pressure: the listener takes
        no more now. What was taken is sent; the caller offers the rest again.
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
        """Close the connection at once, as events cannot be sent on it."""
        ...


class Timer(Protocol):
    """A part of the pump that has work to do at certain times, besides the sessions that are due."""

    @property
    def next_time(self) -> float | None:
        """When to call `fire` next, in seconds of the clock; None while there is nothing to do."""
        ...

    def fire(self, now: float) -> None:
        """Do the work that is due by `now`."""
        ...


class StreamingObserver(Protocol):
    """Receives what happens to sessions, for metrics and logs. Session ids are unique in the process."""

    def joined(self, session_id: str, stream_id: str, offset: int) -> None:
        """Record that a session on the stream has begun, or waits for the stream, from byte `offset` on."""
        ...

    def join_rejected(self, stream_id: str, error_code: str) -> None:
        """Record that a join was answered with an error. `stream_id` is as the client sent it: any text."""
        ...

    def first_audio_sent(self, seconds: float) -> None:
        """Record that a session's first audio was taken, so many seconds after the session began."""
        ...

    def ended(self, session_id: str, stream_id: str, outcome: str, sent_bytes: int, seconds: float) -> None:
        """Record that a session on the stream has ended, after so many seconds and bytes of audio.

        `outcome` is `complete`, `left`, or the `error_code` of what ended it. Called only after `joined`.
        """
        ...

    def pump_lagged(self, seconds: float) -> None:
        """Record that a tick was served so many seconds after it was due."""
        ...
