"""The pump: moves the bytes that are due from the audio to the listeners."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from math import inf

from asf.domain.audio import AudioBatch
from asf.domain.errors import AsfError, InternalError, ListenerTooSlow
from asf.domain.pool import AudioPool
from asf.domain.ports import Clock, StreamingObserver
from asf.domain.schedule import Schedule
from asf.domain.session import ListenerSession
from asf.domain.streamer import ChunkStreamer, SendAudio, WaitUntil

LISTENERS_PER_TURN = 32
"""Listeners served in one turn of the pump, before everything else of the process gets its turn."""

logger = logging.getLogger(__name__)


class AudioPump:
    """Serves all sessions of the process, one batch a turn each, whoever is due longest first.

    Something outside calls `turn` again and again, and sleeps in between for as long as `turn` says. `on_due` is
    called when it should wake up sooner than it was told.

    `slow_seconds` is how long a listener may take no byte before it loses its place. `bytes_sent` and `chunks_sent`
    count what was sent since the beginning.
    """

    def __init__(
        self, streamer: ChunkStreamer, pool: AudioPool, clock: Clock, observer: StreamingObserver, slow_seconds: float
    ) -> None:
        self._streamer = streamer
        self._pool = pool
        self._clock = clock
        self._observer = observer
        self._slow_seconds = slow_seconds
        self._schedule = Schedule()
        # Sessions whose listener takes nothing now, the one blocked longest first.
        self._blocked: OrderedDict[ListenerSession, None] = OrderedDict()
        self._wake_up: float | None = None
        self.on_due: Callable[[], None] = _nobody_sleeps
        self.bytes_sent = 0
        self.chunks_sent = 0

    @property
    def blocked(self) -> int:
        """How many listeners take nothing now."""
        return len(self._blocked)

    def start(self, session: ListenerSession) -> None:
        """Begin a session: send what it is due at this moment, as far as its listener takes it; schedule the rest."""
        now = self._clock.now()
        session.start(now, self._clock.timestamp(), self._streamer.pace.chunk_bytes)
        if session.ended:
            return
        self._serve(session, now, self._schedule.advance(now))
        wake_up = self._next_wake_up()
        if wake_up is not None and (self._wake_up is None or wake_up < self._wake_up):
            self._wake_up = wake_up
            self.on_due()

    def turn(self) -> float | None:
        """Serve some of the sessions that are due.

        Returns the seconds until the next turn is wanted: 0 when there is more to do now, None when nothing is
        scheduled.
        """
        schedule = self._schedule
        now = self._clock.now()
        due_time = schedule.next_time
        if due_time is not None and due_time <= now:
            self._observer.pump_lagged(now - due_time)
        until = schedule.advance(now)
        self._drop_slow(now)
        for _ in range(LISTENERS_PER_TURN):
            session = schedule.pop()
            if session is None:
                break
            self._serve(session, now, until)
        self._wake_up = self._next_wake_up()
        return None if self._wake_up is None else max(0.0, self._wake_up - self._clock.now())

    def remove(self, session: ListenerSession) -> None:
        """Serve the session no more."""
        self._schedule.remove(session)
        self._blocked.pop(session, None)

    def _serve(self, session: ListenerSession, now: float, until: float) -> None:
        try:
            self._send_due(session, now, until)
        except AsfError as error:
            session.fail(error)
        except Exception:
            logger.exception("Serving a listener of stream %r failed", session.stream.stream_id)
            session.fail(InternalError())

    def _send_due(self, session: ListenerSession, now: float, until: float) -> None:
        decision = self._streamer.decide(session, until)
        if isinstance(decision, SendAudio):
            batch = self._pool.batch(session.audio, decision.start)
            taken = session.emitter.send_audio(batch, decision.start, decision.stop)
            if taken:
                self._account(session, batch, taken, now)
            if session.ended:  # The connection broke while sending.
                return
            if session.offset < decision.stop:
                self._block(session, now)
                return
            decision = self._streamer.decide(session, until)
        if isinstance(decision, SendAudio):
            self._schedule.put_due(session)
        elif isinstance(decision, WaitUntil):
            self._schedule.put_at(session, decision.time)
        else:
            session.complete(self._clock.timestamp())

    def _account(self, session: ListenerSession, batch: AudioBatch, taken: int, now: float) -> None:
        start = session.offset
        session.offset = stop = start + taken
        self.bytes_sent += taken
        self.chunks_sent += (stop - 1) // batch.chunk_bytes - start // batch.chunk_bytes + 1
        self._blocked.pop(session, None)
        if not session.heard:
            session.heard = True
            self._observer.first_audio_sent(now - session.origin_time)

    def _block(self, session: ListenerSession, now: float) -> None:
        """Go on when the listener takes audio again."""
        if session not in self._blocked:
            session.blocked_since = now
            self._blocked[session] = None
        session.emitter.when_ready(partial(self._resume, session))

    def _resume(self, session: ListenerSession) -> None:
        if not session.ended:
            self._schedule.put_due(session)
            self.on_due()

    def _drop_slow(self, now: float) -> None:
        """Give up listeners that have taken nothing for too long."""
        while self._blocked:
            session = next(iter(self._blocked))
            if now < session.blocked_since + self._slow_seconds:
                return
            session.fail(ListenerTooSlow())

    def _next_wake_up(self) -> float | None:
        """Return when there is something to do next, in seconds of the clock: for ever ago when a session is due."""
        if self._schedule.has_due:
            return -inf
        times = [] if self._schedule.next_time is None else [self._schedule.next_time]
        if self._blocked:
            times.append(next(iter(self._blocked)).blocked_since + self._slow_seconds)
        return min(times, default=None)


def _nobody_sleeps() -> None:
    pass
