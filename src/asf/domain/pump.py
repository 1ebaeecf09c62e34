"""The pump: moves the bytes that are due from the audio to the listeners."""

import logging
from collections.abc import Callable
from functools import partial

from asf.domain.errors import AsfError, InternalError
from asf.domain.pool import AudioPool
from asf.domain.ports import Clock
from asf.domain.schedule import Schedule
from asf.domain.session import ListenerSession
from asf.domain.streamer import ChunkStreamer, SendAudio, WaitUntil

LISTENERS_PER_TURN = 32
"""Listeners served in one turn of the pump, before everything else of the process gets its turn."""

logger = logging.getLogger(__name__)


class AudioPump:
    """Serves all sessions of the process, one batch a turn each, whoever is due longest first.

    Something outside calls `turn` again and again, and sleeps in between for as long as `turn` says. `on_due` is
    called when a session became due while that may be sleeping.
    """

    def __init__(self, streamer: ChunkStreamer, pool: AudioPool, clock: Clock) -> None:
        self._streamer = streamer
        self._pool = pool
        self._clock = clock
        self._schedule = Schedule()
        self.on_due: Callable[[], None] = _nobody_sleeps

    def serve_at_once(self, session: ListenerSession) -> None:
        """Send what the session is due at this moment, as far as its listener takes it, and schedule the rest."""
        self._serve(session, self._schedule.advance(self._clock.now()))
        self.on_due()

    def turn(self) -> float | None:
        """Serve some of the sessions that are due.

        Returns the seconds until the next turn is wanted: 0 when there is more to do now, None when nothing is
        scheduled.
        """
        schedule = self._schedule
        until = schedule.advance(self._clock.now())
        for _ in range(LISTENERS_PER_TURN):
            session = schedule.pop()
            if session is None:
                break
            self._serve(session, until)
        return schedule.seconds_until_next(self._clock.now())

    def remove(self, session: ListenerSession) -> None:
        """Serve the session no more."""
        self._schedule.remove(session)

    def _serve(self, session: ListenerSession, until: float) -> None:
        try:
            self._send_due(session, until)
        except AsfError as error:
            session.fail(error)
        except Exception:
            logger.exception("Serving a listener of stream %r failed", session.stream.stream_id)
            session.fail(InternalError())

    def _send_due(self, session: ListenerSession, until: float) -> None:
        decision = self._streamer.decide(session, until)
        if isinstance(decision, SendAudio):
            batch = self._pool.batch(session.audio, decision.start)
            taken = session.emitter.send_audio(batch, decision.start, decision.stop)
            if session.ended:  # The connection broke while sending.
                return
            session.offset += taken
            if session.offset < decision.stop:
                session.emitter.when_ready(partial(self._resume, session))
                return
            decision = self._streamer.decide(session, until)
        if isinstance(decision, SendAudio):
            self._schedule.put_due(session)
        elif isinstance(decision, WaitUntil):
            self._schedule.put_at(session, decision.time)
        else:
            session.complete(self._clock.timestamp())

    def _resume(self, session: ListenerSession) -> None:
        if not session.ended:
            self._schedule.put_due(session)
            self.on_due()


def _nobody_sleeps() -> None:
    pass
