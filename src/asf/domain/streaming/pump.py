"""The pump: reads the audio that is due, and sends it to the listeners."""

import logging
from collections.abc import Sequence
from functools import partial
from math import inf

from asf.domain.clock import Clock
from asf.domain.errors import AsfError, InternalError
from asf.domain.signal import Signal
from asf.domain.streaming.audio_pool import AudioPool
from asf.domain.streaming.cue_turns import CueTurns
from asf.domain.streaming.due import ChunkStreamer, EndReached, SendAudio, WaitForGrowth, WaitUntil
from asf.domain.streaming.fetches import Fetches
from asf.domain.streaming.live_edge import LiveEdge
from asf.domain.streaming.ports import StreamingObserver, Timer
from asf.domain.streaming.schedule import Schedule
from asf.domain.streaming.session import ListenerSession
from asf.domain.streaming.shared_audio import SharedAudio
from asf.domain.streaming.slow_listeners import SlowListeners
from asf.domain.streaming.timers import Timers

LISTENERS_PER_TURN = 64
"""Maximum sessions served in one turn of the pump, before the other tasks of the process run."""

TURN_SECONDS = 0.004
"""Time after which a turn ends earlier: what a listener costs depends on how much is due to it."""

LISTENERS_PER_LOOK = 8
"""Sessions that are served between two checks of the clock. Serving one takes 0.05 ms, at most 0.3 ms."""

logger = logging.getLogger(__name__)


class AudioPump:
    """Serves all sessions of the process, one batch each at a time, the one that has been due longest first.

    The runtime calls `turn` repeatedly, and sleeps in between for as long as `turn` returned. `on_due` is called when
    it should wake up earlier. `live_edge`, `slow_listeners` and the `further_timers` also fire in turns.

    `bytes_sent` and `chunks_sent` count the audio sent since the start of the process.
    """

    def __init__(
        self,
        streamer: ChunkStreamer,
        pool: AudioPool,
        schedule: Schedule,
        live_edge: LiveEdge,
        slow_listeners: SlowListeners,
        further_timers: Sequence[Timer],
        clock: Clock,
        observer: StreamingObserver,
    ) -> None:
        self.on_due: Signal[()] = Signal()
        self.bytes_sent = 0
        self.chunks_sent = 0
        self._streamer = streamer
        self._batches = pool.batches
        self._schedule = schedule
        self._live_edge = live_edge
        self._slow_listeners = slow_listeners
        self._timers = Timers((live_edge, slow_listeners, *further_timers))
        self._clock = clock
        # When the pump last turned without a failure, or was last woken up, in seconds of the clock.
        self._turned_at = self._woken_at = clock.now()
        self._observer = observer
        self._fetches = Fetches()
        self._cue_turns = CueTurns(slow_listeners)
        self._wake_up: float | None = None
        self._is_blocked = False  # The session that is being served.
        pool.on_arrival.connect(self._arrived)

    @property
    def chunk_bytes(self) -> int:
        """Bytes in one chunk."""
        return self._streamer.pace.chunk_bytes

    def serve_at_once(self, session: ListenerSession) -> None:
        """Send what is due to the session now, as far as its listener takes it; schedule the rest."""
        now = self._clock.now()
        self._serve(session, now, self._advance(now))
        self.update_wake_up()

    def serve_soon(self, session: ListenerSession) -> None:
        """Serve a session in the next turn, after its state has changed."""
        self._schedule.put_due(session)
        self.update_wake_up()

    def wake(self, audio: SharedAudio) -> None:
        """Wake all sessions that are parked at the live edge of `audio`."""
        self._live_edge.wake(audio)
        self.update_wake_up()

    def look(self, stream_id: str, epoch: str, size: int) -> None:
        """Wake the sessions at the live edge of an epoch's audio, which has just grown to `size` bytes."""
        self._live_edge.look(stream_id, epoch, size, self._clock.now())
        self.update_wake_up()

    def update_wake_up(self) -> None:
        """Call `on_due` if there is work to do earlier than the last turn returned."""
        wake_up = self._next_wake_up()
        if wake_up is not None and (self._wake_up is None or wake_up < self._wake_up):
            self._wake_up = wake_up
            self._woken_at = self._clock.now()
            self.on_due()

    def turn(self) -> float | None:
        """Serve some of the sessions that are due.

        Returns the seconds until the next turn: 0 when more is due now, None when nothing is scheduled.
        """
        schedule = self._schedule
        now = self._clock.now()
        until = self._advance(now)
        self._timers.fire(now)
        for number in range(1, LISTENERS_PER_TURN + 1):
            session = schedule.pop()
            if session is None:
                break
            self._serve(session, now, until)
            if number % LISTENERS_PER_LOOK == 0 and self._clock.now() - now >= TURN_SECONDS:
                break
        self._turned_at = now
        self._wake_up = self._next_wake_up()
        return None if self._wake_up is None else max(0.0, self._wake_up - self._clock.now())

    def overdue(self, now: float) -> float:
        """Return for how many seconds work has been due at `now` that is not done: 0 while the pump works.

        It grows when turns fail or are no longer called, and when a timer fails each time.
        """
        due_since = self._next_wake_up()
        if due_since is not None:
            due_since = max(due_since, self._turned_at, self._woken_at)
        times = (time for time in (due_since, self._timers.failing_since) if time is not None)
        return max(0.0, now - min(times, default=now))

    def is_fetching(self, session: ListenerSession) -> bool:
        """Return whether the session waits for bytes of its audio that are being fetched."""
        return session in self._fetches

    def count_sent(self, byte_count: int) -> None:
        """Count audio that was sent to a listener without a session."""
        self.bytes_sent += byte_count

    def remove(self, session: ListenerSession) -> None:
        """Remove the session until it is scheduled again."""
        self._schedule.remove(session)
        self._slow_listeners.remove(session)
        self._live_edge.remove(session)
        self._fetches.remove(session)

    def _advance(self, now: float) -> float:
        """Queue the sessions that are due by `now`, and return the time before which bytes count as due."""
        due_time = self._schedule.next_time
        if due_time is not None and due_time <= now:
            self._observer.pump_lagged(now - due_time)
        return self._schedule.advance(now)

    def _serve(self, session: ListenerSession, now: float, until: float) -> None:
        self._is_blocked = False
        try:
            if session.cues is not None:
                self._serve_with_cues(session, now, until)
            else:
                self._send_due(session, now, until)
        except AsfError as error:
            self._fail(session, error)
        except Exception:
            logger.exception("Serving session %s on stream %r failed", session.session_id, session.stream_id)
            self._fail(session, InternalError())

    def _serve_with_cues(self, session: ListenerSession, now: float, until: float) -> None:
        if not self._cue_turns.take(session):
            if not session.ended:
                self._block(session, now)
            return
        if session.flowing:
            self._send_due(session, now, until)
        if not self._is_blocked and self._cue_turns.is_due(session):
            self._schedule.put_due(session)

    def _fail(self, session: ListenerSession, error: AsfError) -> None:
        try:
            session.fail(error)
        except Exception:  # It is no longer due; the turn continues with the others.
            logger.exception("Ending session %s on stream %r failed", session.session_id, session.stream_id)

    def _send_due(self, session: ListenerSession, now: float, until: float) -> None:
        audio = session.audio
        assert audio is not None  # noqa: S101 - it has started
        if session.start_is_due and not self._announce(session, audio, now):
            return
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
                self._live_edge.park(session, audio, now)
            case EndReached() if session.cues is not None and not session.cues.has_all():
                pass  # The cursor wakes the session when there is more to send, or nothing.
            case EndReached():
                if audio.failure is None or session.offset >= session.stop:
                    session.complete(self._clock.timestamp())
                else:
                    session.fail(audio.failure)
            case _:  # WaitForCredit: the service schedules the session when an acknowledgement arrives.
                pass

    def _announce(self, session: ListenerSession, audio: SharedAudio, now: float) -> bool:
        """Announce the audio once its media type is known; else wait for more. Returns whether audio may follow."""
        if not audio.type_is_known:
            self._live_edge.park(session, audio, now)
            return False
        session.announce_audio(self._clock.timestamp(), self.chunk_bytes)
        return session.flowing

    def _send(self, session: ListenerSession, audio: SharedAudio, due: SendAudio, now: float) -> bool:
        """Send what is due. Returns whether the listener has taken all of it and the session has not ended."""
        start = due.start
        batch = self._batches.batch(audio, start)
        if batch is None:
            self._await(session, audio)
            return False
        self._fetches.remove(session)
        taken = session.emitter.send_audio(batch, start, due.stop)
        if taken:
            is_first = session.sent_bytes == 0
            session.advance(taken)
            lead = session.lead
            if lead is not None and (
                session.offset > lead.free_until or now > lead.heard_at or batch.seconds_per_byte > lead.free_rate
            ):
                self._streamer.ahead.record(lead, audio, batch, start, start + taken, now)
            self.bytes_sent += taken
            chunk_bytes = batch.chunk_bytes
            self.chunks_sent += (start + taken - 1) // chunk_bytes - start // chunk_bytes + 1
            self._slow_listeners.remove(session)
            if is_first:
                self._observer.first_audio_sent(now - session.origin_time)
        if session.ended:  # The connection failed while sending.
            return False
        if session.offset < due.stop:
            self._block(session, now)
            return False
        return True

    def _block(self, session: ListenerSession, now: float) -> None:
        """Serve the session again when its listener may take more."""
        self._is_blocked = True
        self._slow_listeners.add(session, now)
        session.emitter.when_ready(partial(self._unblock, session))

    def _unblock(self, session: ListenerSession) -> None:
        if session.served:
            self.serve_soon(session)

    def _await(self, session: ListenerSession, audio: SharedAudio) -> None:
        """Serve the session again when the audio's next bytes have arrived. Its listener is not slow meanwhile."""
        self._slow_listeners.remove(session)
        self._fetches.add(session, audio, self._batches.start_of(session.offset))

    def _arrived(self, audio: SharedAudio) -> None:
        """Serve all sessions that await bytes of `audio`. Those whose bytes have not arrived yet await them again."""
        for session in self._fetches.arrived(audio):
            self._schedule.put_due(session)
        self.update_wake_up()

    def _next_wake_up(self) -> float | None:
        """Return when work is due next, in seconds of the clock: minus infinity while a session is due."""
        if self._schedule.has_due:
            return -inf
        tick, timers = self._schedule.next_time, self._timers.next_time
        if tick is None or timers is None:
            return timers if tick is None else tick
        return min(tick, timers)
