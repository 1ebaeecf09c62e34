"""The pump: moves the bytes that are due from the audio to the listeners."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from math import inf

from asf.domain.clock import Clock
from asf.domain.errors import AsfError, InternalError
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.due import ChunkStreamer, EndReached, SendAudio, WaitForGrowth, WaitUntil
from asf.domain.streaming.live_edge import LiveEdge
from asf.domain.streaming.pool import AudioPool, SharedAudio
from asf.domain.streaming.ports import StreamingObserver, Timer
from asf.domain.streaming.schedule import Schedule
from asf.domain.streaming.session import ListenerSession
from asf.domain.streaming.slow_listeners import SlowListeners

LISTENERS_PER_TURN = 32
"""Listeners served in one turn of the pump, before everything else of the process gets its turn."""

logger = logging.getLogger(__name__)


class AudioPump:
    """Serves all sessions of the process, one batch a turn each, whoever is due longest first.

    Something outside calls `turn` again and again, and sleeps in between for as long as `turn` says. `on_due` is
    called when it should wake up sooner than it was told. `timers` have their turns too.

    `bytes_sent` and `chunks_sent` count what was sent since the beginning.
    """

    def __init__(
        self,
        streamer: ChunkStreamer,
        pool: AudioPool,
        schedule: Schedule,
        growth: LiveEdge,
        blocked: SlowListeners,
        timers: Sequence[Timer],
        clock: Clock,
        observer: StreamingObserver,
    ) -> None:
        self._streamer = streamer
        self._pool = pool
        self._schedule = schedule
        self._growth = growth
        self._blocked = blocked
        self._timers = timers
        self._clock = clock
        self._observer = observer
        pool.on_arrival = self._arrived
        self._wake_up: float | None = None
        self.on_due: Callable[[], None] = _nobody_sleeps
        self.bytes_sent = 0
        self.chunks_sent = 0

    @property
    def chunk_bytes(self) -> int:
        """Bytes in one chunk."""
        return self._streamer.pace.chunk_bytes

    def serve_at_once(self, session: ListenerSession) -> None:
        """Send what the session is due at this moment, as far as its listener takes it; schedule the rest."""
        now = self._clock.now()
        self._serve(session, now, self._advance(now))
        self.look_again()

    def serve_soon(self, session: ListenerSession) -> None:
        """Decide anew about a session, to which something has happened, in the next turn."""
        self._schedule.put_due(session)
        self.look_again()

    def wake(self, audio: SharedAudio) -> None:
        """Let all sessions go on that wait for `audio` to grow."""
        self._growth.wake(audio)
        self.look_again()

    def look_again(self) -> None:
        """Wake up whoever turns the pump, if there is something to do sooner than it was told."""
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
        until = self._advance(now)
        for timer in self._timers:
            if timer.next_time is not None and timer.next_time <= now:
                timer.fire(now)
        for _ in range(LISTENERS_PER_TURN):
            session = schedule.pop()
            if session is None:
                break
            self._serve(session, now, until)
        self._wake_up = self._next_wake_up()
        return None if self._wake_up is None else max(0.0, self._wake_up - self._clock.now())

    def remove(self, session: ListenerSession) -> None:
        """Serve the session no more, until it is put in again."""
        self._schedule.remove(session)
        self._blocked.remove(session)
        self._growth.remove(session)
        if session.audio is not None:
            session.audio.awaiting.pop(session, None)

    def _advance(self, now: float) -> float:
        """Let become due what is due by `now`, and return until when things count as due."""
        due_time = self._schedule.next_time
        if due_time is not None and due_time <= now:
            self._observer.pump_lagged(now - due_time)
        return self._schedule.advance(now)

    def _serve(self, session: ListenerSession, now: float, until: float) -> None:
        try:
            self._send_due(session, now, until)
        except AsfError as error:
            session.fail(error)
        except Exception:
            logger.exception("Serving a listener of stream %r failed", session.stream_id)
            session.fail(InternalError())

    def _send_due(self, session: ListenerSession, now: float, until: float) -> None:
        audio = session.audio
        assert audio is not None  # noqa: S101 - it has begun
        if audio.awaiting:
            audio.awaiting.pop(session, None)
        decision = self._streamer.decide(session, until)
        if isinstance(decision, SendAudio):
            if not self._send(session, audio, decision, now):
                return
            decision = self._streamer.decide(session, until)
        match decision:
            case SendAudio():
                self._schedule.put_due(session)
            case WaitUntil():
                self._schedule.put_at(session, decision.time)
            case WaitForGrowth():
                self._growth.park(session, audio, now)
            case EndReached():
                if audio.failure is None:
                    session.complete(self._clock.timestamp())
                else:
                    session.fail(audio.failure)
            case _:  # WaitForCredit: an acknowledgement puts the session in again.
                pass

    def _send(self, session: ListenerSession, audio: SharedAudio, due: SendAudio, now: float) -> bool:
        """Send what is due, and tell whether the listener has taken it all and it can go on at once."""
        batch = self._pool.batch(audio, due.start)
        if batch is None:
            self._await(session, audio)
            return False
        taken = session.emitter.send_audio(batch, due.start, due.stop)
        if taken:
            self._account(session, batch, taken, now)
        if session.ended:  # The connection broke while sending.
            return False
        if session.offset < due.stop:
            self._block(session, now)
            return False
        return True

    def _account(self, session: ListenerSession, batch: AudioBatch, taken: int, now: float) -> None:
        start = session.offset
        session.offset = stop = start + taken
        is_first = session.sent_bytes == 0
        session.sent_bytes += taken
        self.bytes_sent += taken
        self.chunks_sent += (stop - 1) // batch.chunk_bytes - start // batch.chunk_bytes + 1
        self._blocked.remove(session)
        if is_first:
            self._observer.first_audio_sent(now - session.origin_time)

    def _block(self, session: ListenerSession, now: float) -> None:
        """Go on when the listener takes audio again."""
        self._blocked.add(session, now)
        session.emitter.when_ready(partial(self._unblock, session))

    def _await(self, session: ListenerSession, audio: SharedAudio) -> None:
        """Go on when the audio's next bytes are there. It is not the listener that is slow meanwhile."""
        self._blocked.remove(session)
        audio.awaiting[session] = None

    def _arrived(self, audio: SharedAudio) -> None:
        """Let all go on that await bytes of `audio`; those whose bytes are still being fetched await them again."""
        awaiting, audio.awaiting = audio.awaiting, {}
        for session in awaiting:
            self._schedule.put_due(session)
        self.look_again()

    def _unblock(self, session: ListenerSession) -> None:
        if session.flowing:
            self.serve_soon(session)

    def _next_wake_up(self) -> float | None:
        """Return when there is something to do next, in seconds of the clock: for ever ago when a session is due."""
        if self._schedule.has_due:
            return -inf
        times = [self._schedule.next_time, *(timer.next_time for timer in self._timers)]
        return min((time for time in times if time is not None), default=None)


def _nobody_sleeps() -> None:
    pass
