"""What streaming needs from outside."""

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from asf.domain.cues.track import CuePiece
from asf.domain.errors import AsfError
from asf.domain.peer import Peer
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.events import ListenerEvent
from asf.domain.streaming.intake import Intake
from asf.domain.streams.ports import AudioLocations
from asf.domain.streams.stream import AudioEnding, Locator


class AudioSource(Protocol):
    """An open source of audio. It yields the same bytes whatever happens to the name under which it was opened.

    No method blocks: bytes that are not available locally are fetched in the background. `on_arrival`, set by the
    caller of `open`, is called as soon as bytes that `read` had to fetch have arrived or failed; never after `close`.
    """

    on_arrival: Callable[[], None]

    @property
    def size(self) -> int:
        """Length in bytes when the audio was opened, or at the last `refresh`."""
        ...

    @property
    def content_type(self) -> str:
        """The media type, such as `audio/mpeg`."""
        ...

    @property
    def identity(self) -> Hashable:
        """Equal for two sources only if they yield the same bytes. Listeners with equal identities share a source."""
        ...

    @property
    def ending(self) -> AudioEnding | None:
        """How audio with an end marker ended; None if it had not ended at the last `refresh`, or has no end marker.

        Once it has ended, `size` and `identity` are final.
        """
        ...

    def is_current(self) -> bool:
        """Return whether opening the same locator again would certainly yield the same bytes. Does not wait.

        False where that is not known.
        """
        ...

    def read(self, offset: int, length: int) -> bytes | None:
        """Return exactly `length` bytes from `offset` on, all within `size`, or None while they are fetched.

        After None, `on_arrival` is called when the caller should read again. Raises `AudioUnavailable` when the bytes
        cannot be read, and `AudioChanged` when they may not be the original ones: the audio has changed, other than
        by growing if it was opened as growing.
        """
        ...

    def cancel(self, offset: int) -> None:
        """Fetch no longer what `read` has to fetch for `offset`, if that has not begun: nobody waits for it now.

        A later `read` fetches it nevertheless. Safe to call for bytes that are not being fetched, and after `close`.
        """
        ...

    def refresh(self) -> int:
        """Update and return the length, in bytes, of audio opened as growing, as far as it is known without waiting.

        Raises `AudioChanged` when it has shrunk, or was rewritten, moved or replaced.
        """
        ...

    def measure(self) -> int:
        """Do as `refresh`, but return the length that the audio has now. May yield.

        Raises what `refresh` does, and `AudioUnavailable` when the length is not known in time.
        """
        ...

    def finalize(self) -> int:
        """Do as `refresh`, and return the final length. May yield.

        From then on the source behaves as if it had not been opened as growing. Raises what `refresh` does, and
        `AudioUnavailable` when the length is not known in time.
        """
        ...

    def close(self) -> None:
        """Release the source's resources. Safe to repeat; reading afterwards is an error."""
        ...


class AudioSources(AudioLocations, Protocol):
    """Finds and opens audio."""

    def unreachable(self) -> Mapping[str, str]:
        """Return the locations, such as roots and buckets, that cannot be read now, each with the reason."""
        ...

    def content_type_of(self, locator: Locator) -> str | None:
        """Return the media type that the name suggests, or None. The audio need not exist yet."""
        ...

    def open(self, locator: Locator, *, growing: bool = False) -> AudioSource:
        """Open the audio. `growing` says whether it is still being written.

        May yield to other tasks, except for growing audio without an end marker. Raises `AudioUnavailable` when the
        audio is missing, unreadable, or outside the locations that may be read.
        """
        ...


class ListenerEmitter(Protocol):
    """The connection to one listener, for one session. An exception from its methods ends the session."""

    def emit(self, *events: ListenerEvent) -> None:
        """Send `events` to the listener, after all audio and events sent before."""
        ...

    def together(self) -> AbstractContextManager[None]:
        """Send what is sent in this context together, where that is possible. The caller must not wait meanwhile."""
        ...

    def send_audio(self, batch: AudioBatch, start: int, stop: int) -> int:
        """Send the bytes from `start` to `stop` (exclusive). Both are offsets in the audio, within `batch`.

        Returns how many bytes, from `start` on, were taken. Fewer than offered means back-pressure: the listener
        takes no more now. What was taken will be sent; the caller offers the rest again later.
        """
        ...

    def send_cues(self, piece: CuePiece) -> bool:
        """Send cues, after all audio and events sent before, if the listener takes them now; return whether it does.

        If not, which is back-pressure, the caller offers them again later.
        """
        ...

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, as soon as the listener may take audio or cues. Replaces an earlier callback."""
        ...

    def intake(self) -> Intake:
        """Return how much the listener has taken, to be compared with what was returned earlier."""
        ...

    def peer(self) -> Peer:
        """Return who is connected, and how. Raises nothing."""
        ...

    def detach(self) -> None:
        """Drop the callback, as the session is over. Called once; nothing is emitted or sent afterwards.

        What was taken before is still sent, and the connection stays open: the listener may join again on it. Calls
        no callback.
        """
        ...

    def break_off(self) -> None:
        """Close the connection at once, because sending an event on it failed."""
        ...


class DurationScanner(Protocol):
    """Finds out how long the bytes of one audio play, from what is in them. It reads nothing itself.

    No method raises, whatever the bytes are.
    """

    @property
    def beginning_bytes(self) -> int:
        """How many of the audio's first bytes `begin` needs before `scan` can find anything; 0 when it needs none."""
        ...

    def begin(self, beginning: bytes) -> None:
        """Read the audio's first bytes: `beginning_bytes` of them, or all that have been written. May need more."""
        ...

    def scan(self, offset: int, data: bytes) -> tuple[int, float]:
        """Return for how many bytes the duration was found, and how many seconds they play, both 0 if for none.

        `data` is the audio from byte `offset` on. Calls with adjoining pieces find more.
        What was found may begin in an earlier piece or end in the next one. Bytes that are not audio play 0 seconds.
        """
        ...


class Timer(Protocol):
    """A component that the pump calls at certain times, besides serving the sessions that are due."""

    @property
    def next_time(self) -> float | None:
        """When to call `fire` next, in seconds of the clock; None while there is nothing to do."""
        ...

    def fire(self, now: float) -> None:
        """Do the work that is due by `now`."""
        ...


class StreamingObserver(Protocol):
    """Observes sessions, for metrics and logs. Session ids are unique in the process."""

    def joined(self, session_id: str, stream_id: str, offset: int, peer: Peer) -> None:
        """Record that a session of `peer` has started on the stream at byte `offset`, or waits for the stream."""
        ...

    def join_rejected(self, stream_id: str, error: AsfError, peer: Peer | None) -> None:
        """Record that a join of `peer`, if known, was answered with an error. `stream_id` is any string."""
        ...

    def first_audio_sent(self, seconds: float) -> None:
        """Record that a session's first audio was taken, `seconds` after the session started."""
        ...

    def ended(self, session_id: str, stream_id: str, outcome: str, sent_bytes: int, seconds: float) -> None:
        """Record that a session on the stream has ended, `seconds` after its join, with `sent_bytes` of audio sent.

        `outcome` is `complete`, `left`, or the `error_code` of what ended it. Called only after `joined`.
        """
        ...

    def pump_lagged(self, seconds: float) -> None:
        """Record that a tick was served `seconds` after it was due."""
        ...
