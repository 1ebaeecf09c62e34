"""One listener's session on one stream."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from asf.domain.errors import AsfError, InternalError
from asf.domain.streaming.events import (
    EndOfStream,
    ListenerEvent,
    SessionStatus,
    StartOfStream,
    StatusChanged,
    StreamFailed,
)
from asf.domain.streaming.lifecycle import SessionEvent, SessionState, next_state
from asf.domain.streaming.pool import SharedAudio
from asf.domain.streaming.ports import ListenerEmitter
from asf.domain.streams.stream import AudioStream

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """What a listener asks for.

    `offset` is the first byte wanted. `epoch`, where given, must be the stream's current one. `window` bounds the
    bytes that are sent and not yet acknowledged (None: no bound). `fingerprint`, where given, must be that of the
    audio, which then must not be growing. With `wait` the stream need not be announced yet. A
    listener that is not `paced` gets the audio as fast as it takes it. `token` is whatever it sent as such.
    """

    stream_id: str
    offset: int = 0
    epoch: str | None = None
    window: int | None = None
    wait: bool = False
    paced: bool = True
    fingerprint: str | None = None
    token: object = field(default=None, repr=False)


class ListenerSession:
    """How far one listener has come in one stream, and what is held for it.

    `offset` is the next byte to send, `acknowledged` the first byte that the listener has not acknowledged;
    `origin_offset` and `origin_time` (seconds of the clock) are where and when the pace began to count, so that a
    session never drifts however late it is served. `opened_at` is when the session was opened, and `sent_bytes` is
    how much audio was taken since; `blocked_since` is when the listener ceased to take any, for one that counts among
    the blocked. `slot` belongs to the `Schedule`. `on_end` is called once, with the outcome, when the session ends.
    """

    __slots__ = (
        "acknowledged",
        "audio",
        "blocked_since",
        "emitter",
        "offset",
        "on_end",
        "opened_at",
        "origin_offset",
        "origin_time",
        "paced",
        "request",
        "sent_bytes",
        "slot",
        "state",
        "stream",
        "window",
    )

    def __init__(
        self,
        request: ListenRequest,
        emitter: ListenerEmitter,
        on_end: "Callable[[ListenerSession, str], None]",
    ) -> None:
        self.request = request
        self.stream: AudioStream | None = None
        self.audio: SharedAudio | None = None
        self.emitter = emitter
        self.on_end = on_end
        self.state = SessionState.WAITING
        self.offset = self.acknowledged = request.offset
        self.window = request.window
        self.paced = request.paced
        self.origin_offset = request.offset
        self.origin_time = 0.0
        self.slot: int | None = None
        self.opened_at = 0.0
        self.sent_bytes = 0
        self.blocked_since = 0.0

    @property
    def stream_id(self) -> str:
        """The id of the stream that the listener asked for."""
        return self.request.stream_id

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self.state is SessionState.ENDED

    @property
    def flowing(self) -> bool:
        """Whether audio is to be sent."""
        return self.state is SessionState.FLOWING

    def wait(self) -> None:
        """Tell the listener that nothing has been announced yet."""
        self._tell(SessionStatus.WAITING)

    def begin(self, stream: AudioStream, audio: SharedAudio, now: float, timestamp: float, chunk_bytes: int) -> None:
        """Begin: the listener hears that it joined and that audio follows; the pace counts from `now`."""
        self._move(SessionEvent.BEGIN)
        self.stream = stream
        self.audio = audio
        self.origin_time = now
        joined = StatusChanged(stream.stream_id, SessionStatus.JOINED)
        self._emit(joined, self._start_of_stream(timestamp, chunk_bytes))

    def pause(self) -> None:
        """Send no audio until `resume`. What was taken before still arrives."""
        self._move(SessionEvent.PAUSE)
        self._tell(SessionStatus.PAUSED)

    def resume(self, now: float) -> None:
        """Go on after a pause; the pace counts from `now`. Without a pause before, nothing changes."""
        if self.state is SessionState.PAUSED:
            self._restart_pace(now)
        self._move(SessionEvent.RESUME)
        self._tell(SessionStatus.RESUMED)

    def seek(self, offset: int, now: float, timestamp: float, chunk_bytes: int) -> None:
        """Go on from byte `offset`. What was sent before counts as acknowledged."""
        self._move(SessionEvent.SEEK)
        self.offset = self.acknowledged = offset
        self._restart_pace(now)
        if self.audio is not None:
            self._emit(self._start_of_stream(timestamp, chunk_bytes))

    def acknowledge(self, received: int) -> bool:
        """Take note that the listener has everything before byte `received`.

        Returns False, and changes nothing, when that is more than was sent. Less than before changes nothing.
        """
        if received > self.offset:
            return False
        self.acknowledged = max(self.acknowledged, received)
        return True

    def stall(self) -> None:
        """Tell the listener that nothing more has been written for long."""
        self._move(SessionEvent.STALL)
        self._tell(SessionStatus.STALLED)

    def grow(self) -> None:
        """Go on after `stall`."""
        self._move(SessionEvent.GROW)

    def complete(self, timestamp: float) -> None:
        """End as all audio was sent."""
        assert self.audio is not None  # noqa: S101 - it has begun
        if not self.ended:
            self._emit(EndOfStream(self.stream_id, timestamp, self.audio.size))
            self._end(SessionEvent.COMPLETE, "complete")

    def fail(self, error: AsfError) -> None:
        """End early: the listener hears why."""
        if not self.ended:
            self._emit(StreamFailed(self.stream_id, error, self.offset))
            self._end(SessionEvent.FAIL, error.error_code)

    def leave(self) -> None:
        """End as the listener wants nothing more, or something else. It hears that."""
        if not self.ended:
            self._tell(SessionStatus.LEFT)
            self.abandon()

    def abandon(self) -> None:
        """End as the listener is gone. It hears nothing more of this session."""
        self._end(SessionEvent.LEAVE, "left")

    def announce_drain(self) -> None:
        """Tell the listener that the server will be gone soon, and from which byte to go on elsewhere."""
        self._emit(StatusChanged(self.stream_id, SessionStatus.SERVER_DRAINING, self.offset))

    def _start_of_stream(self, timestamp: float, chunk_bytes: int) -> StartOfStream:
        stream, audio = self.stream, self.audio
        assert stream is not None  # noqa: S101 - it has begun
        assert audio is not None  # noqa: S101
        return StartOfStream(
            stream.stream_id,
            timestamp,
            self.offset,
            audio.total_bytes,
            chunk_bytes,
            audio.content_type,
            stream.epoch,
            audio.stream.state,  # It may have ended since this session began.
            stream.metadata,
        )

    def _restart_pace(self, now: float) -> None:
        self.origin_offset = self.offset
        self.origin_time = now

    def _tell(self, status: SessionStatus) -> None:
        self._emit(StatusChanged(self.stream_id, status))

    def _emit(self, *events: ListenerEvent) -> None:
        """Tell the listener. One that cannot be told is cut off, which tells it that too, and its session ends."""
        try:
            self.emitter.emit(*events)
        except Exception:
            logger.exception("Telling a listener of stream %r something failed", self.stream_id)
            self.emitter.break_off()
            self._end(SessionEvent.FAIL, InternalError.error_code)

    def _move(self, event: SessionEvent) -> None:
        self.state = next_state(self.state, event)

    def _end(self, event: SessionEvent, outcome: str) -> None:
        if self.ended:  # Telling the listener may have shown that it is gone.
            return
        self._move(event)
        self.emitter.detach()
        self.on_end(self, outcome)
