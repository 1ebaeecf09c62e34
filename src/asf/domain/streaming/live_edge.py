"""The live edge: polls growing audio, and wakes the sessions that wait there."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from asf.domain.errors import AsfError, AudioUnavailable, InternalError, StreamStalled
from asf.domain.streaming.audio_pool import AudioPool
from asf.domain.streaming.schedule import Schedule
from asf.domain.streaming.session import ListenerSession
from asf.domain.streaming.shared_audio import SharedAudio
from asf.domain.streams.stream import AudioStream

POLL_SECONDS = 0.02
"""Interval at which growing audio is polled, in seconds, whatever the number of its listeners."""

REPORTED_SECONDS = 0.25
"""For how long audio is not polled after its growth was reported: the next growth probably will be, too."""

LONGEST_POLL_SECONDS = 1.0
"""Time between two polls that counts as silence at most. If it was longer, the server was held up, and the producer
may have been as well."""

STALLS_PER_TURN = 32
"""Maximum sessions that notify their listeners of a stall in one turn of the pump, before other tasks run."""

WAKES_PER_TURN = 256
"""Maximum sessions that are woken in one turn of the pump. Waking one takes a microsecond, a notification thirty."""

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Edge:
    """The live edge of one audio source: its last known size, and the sessions that wait there.

    `silence` is for how many seconds the audio has been polled without growth, up to `polled_at` (seconds of the
    clock). Audio that nobody waits for is not polled, and may have grown; nor is audio whose growth is reported until
    `rests_until`. The `stalled` sessions wait as well, and notify their listeners of it, or have done so.
    """

    size: int
    polled_at: float
    silence: float = 0.0
    rests_until: float = -inf
    parked: dict[ListenerSession, None] = field(default_factory=dict)
    stalled: dict[ListenerSession, None] = field(default_factory=dict)

    @property
    def is_polled(self) -> bool:
        """Whether sessions wait here."""
        return bool(self.parked or self.stalled)

    def park(self, session: ListenerSession, now: float) -> None:
        """Let a session wait here, unless it does. The first one starts the polls at `now`."""
        if not self.is_polled:
            self.polled_at = now
        if session not in self.stalled:
            self.parked[session] = None

    def remove(self, session: ListenerSession) -> None:
        """Let a session wait no longer. One that does not is ignored."""
        self.parked.pop(session, None)
        self.stalled.pop(session, None)

    def stay(self, now: float) -> None:
        """Record that the audio has not grown since the last poll."""
        self.silence += min(now - self.polled_at, LONGEST_POLL_SECONDS)
        self.polled_at = now

    def move(self, size: int, now: float) -> None:
        """Record that the audio has grown to `size`, or ended there."""
        self.size = size
        self.silence = 0.0
        self.polled_at = now

    def rest(self, until: float) -> None:
        """Let the audio not be polled before `until`, in seconds of the clock: its growth is reported."""
        self.rests_until = until

    def stall(self) -> dict[ListenerSession, None]:
        """Return the sessions that have yet to notify their listeners of a stall, and count them as `stalled`."""
        parked, self.parked = self.parked, {}
        self.stalled.update(parked)
        return parked

    def take_all(self) -> dict[ListenerSession, None]:
        """Remove and return all sessions that wait here."""
        self.stall()
        sessions, self.stalled = self.stalled, {}
        return sessions


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
        # Sessions that are to notify their listeners of a stall, and sessions that are to be woken.
        self._stalling: OrderedDict[ListenerSession, None] = OrderedDict()
        self._waking: OrderedDict[ListenerSession, None] = OrderedDict()
        self._next_poll: float | None = None

    @property
    def next_time(self) -> float | None:
        """When there is something to do next, in seconds of the clock; None while there is nothing."""
        return -inf if self._waking or self._stalling else self._next_poll

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
            edge.remove(session)
        self._stalling.pop(session, None)
        self._waking.pop(session, None)

    def fire(self, now: float) -> None:
        """Poll all audio that has parked sessions. Wake and stall a bounded number of them; the rest stays due."""
        if self._next_poll is not None and self._next_poll <= now:
            self._poll_all(now)
        for _ in range(min(WAKES_PER_TURN, len(self._waking))):
            self._wake(self._waking.popitem(last=False)[0])
        for _ in range(min(STALLS_PER_TURN, len(self._stalling))):
            self._stall(self._stalling.popitem(last=False)[0])

    def look(self, stream_id: str, epoch: str, size: int, now: float) -> None:
        """Poll the audio of an epoch now, if sessions wait for it: it has grown to `size`.

        If that can be seen at once, it needs no polls for a moment: the next growth is reported, too.
        """
        audio = self._pool.growing(stream_id, epoch)
        edge = None if audio is None else self._edges.get(audio)
        if audio is None or edge is None or not edge.is_polled:
            return
        self._poll_contained(audio, edge, now)
        if audio.size >= size:
            edge.rest(now + REPORTED_SECONDS)

    def wake(self, audio: SharedAudio) -> None:
        """Schedule all parked sessions of `audio`, in the next turns."""
        edge = self._edges.get(audio)
        if edge is None:
            return
        sessions = edge.take_all()
        if self._stalling:
            for session in sessions:
                self._stalling.pop(session, None)
        self._waking.update(sessions)

    def _wake(self, session: ListenerSession) -> None:
        if not session.flowing:
            session.wake()
        self._schedule.put_due(session)

    def _stall(self, session: ListenerSession) -> None:
        if not session.cues:
            self._schedule.remove(session)  # An acknowledgement may have scheduled it. It waits for growth.
        session.stall()

    def _poll_all(self, now: float) -> None:
        for audio, edge in list(self._edges.items()):
            if not audio.listeners or not audio.growing:
                self.wake(audio)
                del self._edges[audio]
            elif edge.is_polled and now >= edge.rests_until:
                self._poll_contained(audio, edge, now)
        self._next_poll = now + POLL_SECONDS if self._edges else None

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
            self._stalling.update(edge.stall())

    def _give_up(self, audio: SharedAudio, error: AsfError) -> None:
        audio.give_up(error)
        self.wake(audio)
