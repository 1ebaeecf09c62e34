"""The live edge: polls growing audio, and wakes the sessions that wait there."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from asf.domain.errors import AsfError, AudioUnavailable, InternalError, StreamStalled
from asf.domain.streaming.audio_pool import AudioPool
from asf.domain.streaming.schedule import Schedule
from asf.domain.streaming.session import ListenerSession
from asf.domain.streaming.shared_audio import SharedAudio
from asf.domain.streams.stream import AudioStream

POLL_SECONDS = 0.02
"""Interval at which growing audio is polled, in seconds, whatever the number of its listeners."""

LONGEST_POLL_SECONDS = 1.0
"""Time between two polls that counts as silence at most. If it was longer, the server was held up, and the producer
may have been as well."""

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Edge:
    """The live edge of one audio source: its last known size, and the sessions that wait there.

    `silence` is for how many seconds the audio has been polled without growth, up to `polled_at` (seconds of the
    clock). Audio that nobody waits for is not polled, and may have grown.
    """

    size: int
    polled_at: float
    silence: float = 0.0
    parked: dict[ListenerSession, None] = field(default_factory=dict)

    def park(self, session: ListenerSession, now: float) -> None:
        """Let a session wait here. The first one starts the polls at `now`."""
        if not self.parked:
            self.polled_at = now
        self.parked[session] = None

    def stay(self, now: float) -> None:
        """Record that the audio has not grown since the last poll."""
        self.silence += min(now - self.polled_at, LONGEST_POLL_SECONDS)
        self.polled_at = now

    def move(self, size: int, now: float) -> None:
        """Record that the audio has grown to `size`, or ended there."""
        self.size = size
        self.silence = 0.0
        self.polled_at = now

    def take_parked(self) -> Iterable[ListenerSession]:
        """Remove and return all parked sessions."""
        parked, self.parked = self.parked, {}
        return parked


class LiveEdge:
    """Polls the growing audio of sessions that have sent all of it: a `Timer` of the pump.

    Audio that has not grown for `stall_seconds` is stalled: its parked sessions notify their listeners. After
    `give_up_seconds` it is given up: those sessions fail, and `on_give_up` is called with the stream.
    """

    def __init__(
        self,
        pool: AudioPool,
        schedule: Schedule,
        stall_seconds: float,
        give_up_seconds: float,
        on_give_up: Callable[[AudioStream], object],
    ) -> None:
        self._pool = pool
        self._schedule = schedule
        self._stall_seconds = stall_seconds
        self._give_up_seconds = give_up_seconds
        self._on_give_up = on_give_up
        self._edges: dict[SharedAudio, _Edge] = {}
        self._next_poll: float | None = None

    @property
    def next_time(self) -> float | None:
        """When to poll next, in seconds of the clock; None while there is nothing to poll."""
        return self._next_poll

    def park(self, session: ListenerSession, audio: SharedAudio, now: float) -> None:
        """Park a session that has sent all of `audio` until that has grown or ended."""
        edge = self._edges.get(audio)
        if edge is None:
            edge = self._edges[audio] = _Edge(audio.size, now)
        edge.park(session, now)
        if self._next_poll is None:
            self._next_poll = now + POLL_SECONDS

    def remove(self, session: ListenerSession) -> None:
        """Remove a session. One that is not parked is ignored."""
        edge = self._edges.get(session.audio) if session.audio is not None else None
        if edge is not None:
            edge.parked.pop(session, None)

    def fire(self, now: float) -> None:
        """Poll all audio that has parked sessions."""
        for audio, edge in list(self._edges.items()):
            if not audio.listeners or not audio.growing:
                self.wake(audio)
                del self._edges[audio]
            elif edge.parked:
                self._poll_contained(audio, edge, now)
        self._next_poll = now + POLL_SECONDS if self._edges else None

    def wake(self, audio: SharedAudio) -> None:
        """Schedule all parked sessions of `audio` at once."""
        edge = self._edges.get(audio)
        if edge is None:
            return
        for session in edge.take_parked():
            if not session.flowing:
                session.wake()
            self._schedule.put_due(session)

    def _poll_contained(self, audio: SharedAudio, edge: _Edge, now: float) -> None:
        """Poll one audio source. Whatever fails ends only the sessions on that one."""
        try:
            self._poll(audio, edge, now)
        except Exception:
            logger.exception("Polling the audio of stream %r failed", audio.stream.stream_id)
            self._give_up(audio, InternalError())

    def _poll(self, audio: SharedAudio, edge: _Edge, now: float) -> None:
        try:
            self._pool.refresh(audio)
        except AudioUnavailable as error:
            self._give_up(audio, error)
            return
        # Compare with the edge's size: opening the audio for another listener refreshes `audio.size` too.
        if audio.size > edge.size or not audio.growing:
            edge.move(audio.size, now)
            self.wake(audio)
            return
        edge.stay(now)
        if edge.silence >= self._give_up_seconds:
            self._give_up(audio, StreamStalled(f"The audio has not grown for {self._give_up_seconds:g} s."))
            self._on_give_up(audio.stream)
        elif edge.silence >= self._stall_seconds:
            for session in list(edge.parked):
                if session.flowing:
                    session.stall()

    def _give_up(self, audio: SharedAudio, error: AsfError) -> None:
        audio.give_up(error)
        self.wake(audio)
