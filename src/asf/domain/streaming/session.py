"""One listener's session on one stream."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from asf.domain.cues.cursor import CueCursor
from asf.domain.errors import AsfError, InternalError
from asf.domain.streaming.ahead import Lead
from asf.domain.streaming.events import (
    EndOfStream,
    ListenerEvent,
    SessionStatus,
    StartOfStream,
    StatusChanged,
    StreamFailed,
)
from asf.domain.streaming.lifecycle import SessionEvent, SessionState, next_state
from asf.domain.streaming.ports import ListenerEmitter
from asf.domain.streaming.shared_audio import SharedAudio
from asf.domain.streams.stream import AudioStream

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """A listener's request to join a stream.

    `offset` is that of the first byte to send, `stop` that behind the last one (None: the end of the audio). `epoch`,
    if given, must be the stream's current one. `window` bounds the bytes that are sent and not acknowledged yet (no
    bound if None). With `wait` the stream need not be announced yet. A listener that is not `paced` receives audio as
    fast as it takes it. One that reads nothing is dropped after `silence_seconds` (None: ASF_SLOW_LISTENER_SECONDS).
    `token` is the unverified token that it sent, of any type. With `cues` it receives those of the stream, from
    behind the number `cues_since` on.
    """

    stream_id: str
    offset: int = 0
    epoch: str | None = None
    window: int | None = None
    wait: bool = False
    paced: bool = True
    silence_seconds: float | None = None
    stop: int | None = None
    token: object = field(default=None, repr=False)
    cues: bool = False
    cues_since: int = 0


class ListenerSession:
    """One listener on one stream, from the join to the end. Only its own methods change it.

    `session_id` is unique in the process, for the log. `offset` is the next byte to send, `stop` the first one that
    is not wanted (infinite if all are), `acknowledged` the first one that the listener has not acknowledged. The pace
    counts from byte `origin_offset` at `origin_time` (seconds of the clock), so that a session never drifts however
    late it is served. `opened_at` is when the listener joined (seconds of the clock), and `sent_bytes` is how much
    audio the listener has taken. `lead` counts how far that is ahead of real time, for a paced session without a
    window. `stream` and `audio` are None until the session starts. `start_is_due`: it has started, but
    `StartOfStream` waits for the bytes that show the audio's media type. `cues` is the listener's position in the
    stream's cues, if it has asked for them and the session has started. `on_end` is called once, with the session
    and the outcome, when it ends. The outcome is `complete`, `left`, or the `error_code` of the error that ended it.
    """

    __slots__ = (
        "_on_end",
        "acknowledged",
        "audio",
        "cues",
        "emitter",
        "lead",
        "offset",
        "opened_at",
        "origin_offset",
        "origin_time",
        "paced",
        "request",
        "sent_bytes",
        "session_id",
        "start_is_due",
        "state",
        "stop",
        "stream",
        "window",
    )

    def __init__(
        self,
        session_id: str,
        request: ListenRequest,
        emitter: ListenerEmitter,
        opened_at: float,
        on_end: "Callable[[ListenerSession, str], None]",
    ) -> None:
        self.session_id = session_id
        self.request = request
        self.stream: AudioStream | None = None
        self.audio: SharedAudio | None = None
        self.cues: CueCursor | None = None
        self.emitter = emitter
        self.state = SessionState.WAITING
        self.offset = self.acknowledged = request.offset
        self.stop: float = inf if request.stop is None else request.stop
        self.window = request.window
        self.paced = request.paced
        self.lead = Lead() if request.paced and request.window is None else None
        self.origin_offset = request.offset
        self.origin_time = 0.0
        self.opened_at = opened_at
        self.sent_bytes = 0
        self.start_is_due = False
        self._on_end = on_end

    @property
    def stream_id(self) -> str:
        """The id of the stream that the listener asked for."""
        return self.request.stream_id

    @property
    def number(self) -> int:
        """The number in the session's id: later sessions of the process have higher ones."""
        return int(self.session_id.rpartition(".")[2])

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self.state is SessionState.ENDED

    @property
    def flowing(self) -> bool:
        """Whether audio may be sent."""
        return self.state is SessionState.FLOWING

    @property
    def served(self) -> bool:
        """Whether audio or cues may be sent. Cues are sent whether or not the audio flows."""
        return self.flowing or (self.cues is not None and not self.ended)

    def wait(self) -> None:
        """Notify the listener that the stream has not been announced yet."""
        self._emit_status(SessionStatus.WAITING)

    def start(self, stream: AudioStream, audio: SharedAudio, now: float, timestamp: float, chunk_bytes: int) -> None:
        """Start on `audio`: notify the listener that it has joined and audio follows. The pace counts from `now`.

        While the media type is unknown, the listener has joined, and `announce_audio` says later what follows.
        """
        self._move(SessionEvent.START)
        self.stream = stream
        self.audio = audio
        self.origin_time = now
        if self.lead is not None:
            self.lead.restart(self.offset, now)
        joined = StatusChanged(stream.stream_id, SessionStatus.JOINED)
        if audio.type_is_known:
            self._emit(joined, self._start_of_stream(timestamp, chunk_bytes))
        else:
            self.start_is_due = True
            self._emit(joined)

    def announce_audio(self, timestamp: float, chunk_bytes: int) -> None:
        """Notify the listener that audio follows, now that its media type is known."""
        self.start_is_due = False
        self._emit(self._start_of_stream(timestamp, chunk_bytes))

    def follow_cues(self, cues: CueCursor) -> None:
        """Send the cues of the stream from now on, too."""
        self.cues = cues

    def advance(self, taken: int) -> None:
        """Record that the listener has taken `taken` bytes, from `offset` on."""
        self.offset += taken
        self.sent_bytes += taken

    def pause(self, now: float) -> None:
        """Send no audio until `resume`. What was taken before still arrives."""
        self._move(SessionEvent.PAUSE)
        if self.lead is not None:
            self.lead.pause(now)
        self._emit_status(SessionStatus.PAUSED)

    def resume(self, now: float) -> None:
        """Send audio again after a pause; the pace counts from `now`. Without a pause, only confirm the command."""
        if self.state is SessionState.PAUSED:
            self._restart_pace(now)
        if self.lead is not None:
            self.lead.resume(now)
        self._move(SessionEvent.RESUME)
        self._emit_status(SessionStatus.RESUMED)

    def seek(self, offset: int, now: float, timestamp: float, chunk_bytes: int) -> None:
        """Continue from byte `offset`. What was sent before counts as acknowledged; the pace counts from `now`."""
        self._move(SessionEvent.SEEK)
        self.offset = self.acknowledged = offset
        self._restart_pace(now)
        if self.lead is not None:
            self.lead.restart(offset, now)
        if self.audio is not None and not self.start_is_due:
            self._emit(self._start_of_stream(timestamp, chunk_bytes))

    def acknowledge(self, received: int) -> bool:
        """Record that the listener has everything before byte `received`.

        Returns False and changes nothing when that is more than was sent. A value below an earlier one is ignored.
        """
        if received > self.offset:
            return False
        self.acknowledged = max(self.acknowledged, received)
        return True

    def stall(self) -> None:
        """Notify the listener that the audio has not grown for a while."""
        self._move(SessionEvent.STALL)
        self._emit_status(SessionStatus.STALLED)

    def wake(self) -> None:
        """Send audio again after `stall`."""
        self._move(SessionEvent.WAKE)

    def complete(self, timestamp: float) -> None:
        """End because all audio was sent. `timestamp` is in seconds since the Unix epoch."""
        assert self.audio is not None  # noqa: S101 - it has started
        if not self.ended:
            self._emit(EndOfStream(self.stream_id, timestamp, self.audio.size))
            self._end(SessionEvent.COMPLETE, "complete")

    def fail(self, error: AsfError) -> None:
        """End early, and notify the listener of the reason. A session that has ended is not changed."""
        if not self.ended:
            self._emit(StreamFailed(self.stream_id, error, self.offset))
            self._end(SessionEvent.FAIL, error.error_code)

    def leave(self) -> None:
        """End at the listener's request, and confirm it."""
        if not self.ended:
            self._emit_status(SessionStatus.LEFT)
            self.abandon()

    def abandon(self) -> None:
        """End without an event: the listener has disconnected, or has received nothing of the session yet."""
        self._end(SessionEvent.LEAVE, "left")

    def announce_drain(self) -> None:
        """Notify the listener that the server will shut down soon, and at which byte to resume on another one."""
        self._emit(StatusChanged(self.stream_id, SessionStatus.SERVER_DRAINING, self.offset))

    def _start_of_stream(self, timestamp: float, chunk_bytes: int) -> StartOfStream:
        stream, audio = self.stream, self.audio
        assert stream is not None  # noqa: S101 - it has started
        assert audio is not None  # noqa: S101
        return StartOfStream(
            stream.stream_id,
            timestamp,
            self.offset,
            audio.total_bytes,
            chunk_bytes,
            audio.content_type,
            stream.epoch,
            audio.stream.state,  # The audio may have been finalized since this session started.
            stream.metadata,
        )

    def _restart_pace(self, now: float) -> None:
        self.origin_offset = self.offset
        self.origin_time = now

    def _emit_status(self, status: SessionStatus) -> None:
        self._emit(StatusChanged(self.stream_id, status))

    def _emit(self, *events: ListenerEvent) -> None:
        """Send events. If that fails, the connection is closed, and the session ends."""
        try:
            self.emitter.emit(*events)
        except Exception:
            logger.exception("Emitting to session %s on stream %r failed", self.session_id, self.stream_id)
            self.emitter.break_off()
            self._end(SessionEvent.FAIL, InternalError.error_code)

    def _move(self, event: SessionEvent) -> None:
        self.state = next_state(self.state, event)

    def _end(self, event: SessionEvent, outcome: str) -> None:
        if self.ended:  # Emitting may have ended it: the listener had disconnected.
            return
        self._move(event)
        try:
            self.emitter.detach()
        except Exception:  # What the session holds is released all the same.
            logger.exception("Detaching session %s on stream %r failed", self.session_id, self.stream_id)
        self._on_end(self, outcome)
