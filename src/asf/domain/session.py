"""One listener's session on one stream."""

from collections.abc import Callable

from asf.domain.errors import AsfError
from asf.domain.events import EndOfStream, Joined, StartOfStream, StreamFailed
from asf.domain.pool import SharedAudio
from asf.domain.ports import ListenerEmitter
from asf.domain.streams import AudioStream


class ListenerSession:
    """How far one listener has come in one stream, and what is held for it.

    `offset` is the next byte to send; `origin_offset` and `origin_time` (seconds of the clock) are where and when
    the pace began to count, so that a session never drifts however late it is served. `heard` tells whether any
    audio was taken; `blocked_since` is when the listener ceased to take any, for one that the pump counts among the
    blocked. `slot` belongs to the `Schedule`. `on_end` is called once, with the outcome, when the session ends.
    """

    __slots__ = (
        "audio",
        "blocked_since",
        "emitter",
        "ended",
        "heard",
        "offset",
        "on_end",
        "origin_offset",
        "origin_time",
        "slot",
        "stream",
    )

    def __init__(
        self,
        stream: AudioStream,
        audio: SharedAudio,
        emitter: ListenerEmitter,
        on_end: "Callable[[ListenerSession, str], None]",
    ) -> None:
        self.stream = stream
        self.audio = audio
        self.emitter = emitter
        self.on_end = on_end
        self.offset = 0
        self.origin_offset = 0
        self.origin_time = 0.0
        self.slot: int | None = None
        self.heard = False
        self.blocked_since = 0.0
        self.ended = False

    def start(self, now: float, timestamp: float, chunk_bytes: int) -> None:
        """Begin: the listener hears that it joined and that audio follows; the pace counts from `now`."""
        self.origin_time = now
        stream_id = self.stream.stream_id
        self.emitter.emit(
            Joined(stream_id),
            StartOfStream(stream_id, timestamp, self.offset, self.audio.size, chunk_bytes, self.audio.content_type),
        )

    def complete(self, timestamp: float) -> None:
        """End as all audio was sent."""
        self.emitter.emit(EndOfStream(self.stream.stream_id, timestamp, self.audio.size))
        self._end("complete")

    def fail(self, error: AsfError) -> None:
        """End early: the listener hears why."""
        self.emitter.emit(StreamFailed(self.stream.stream_id, error, self.offset))
        self._end(error.error_code)

    def abandon(self) -> None:
        """End as the listener went away, or asked for something else. It hears nothing more of this session."""
        if not self.ended:
            self._end("left")

    def _end(self, outcome: str) -> None:
        if not self.ended:  # Telling the listener may have shown that it is gone.
            self.ended = True
            self.emitter.close()
            self.on_end(self, outcome)
