"""Audio that is still being made: who has all of it so far hears the rest as it is written."""

from asf.domain.errors import AudioUnavailable, StreamStalled
from asf.domain.streaming.pool import AudioPool, SharedAudio
from asf.domain.streaming.schedule import Schedule
from asf.domain.streaming.session import ListenerSession

LOOK_SECONDS = 0.02
"""How often a growing audio is looked at, in seconds, whatever the number of its listeners."""


class LiveEdge:
    """Looks after all growing audio that has listeners: a `Timer` of the pump.

    An audio that has not grown for `stall_seconds` is stalled, of which its listeners hear; after `give_up_seconds`
    it is given up, and they hear that.
    """

    def __init__(self, pool: AudioPool, schedule: Schedule, stall_seconds: float, give_up_seconds: float) -> None:
        self._pool = pool
        self._schedule = schedule
        self._stall_seconds = stall_seconds
        self._give_up_seconds = give_up_seconds
        self._watched: dict[SharedAudio, None] = {}
        self._next_look: float | None = None

    @property
    def next_time(self) -> float | None:
        """When to look again, in seconds of the clock; None while nothing is watched."""
        return self._next_look

    def park(self, session: ListenerSession, audio: SharedAudio, now: float) -> None:
        """Serve the session again when `audio`, of which it has everything so far, has grown or ended."""
        audio.starved[session] = None
        if audio not in self._watched:
            self._watched[audio] = None
            audio.grown_at = now
        if self._next_look is None:
            self._next_look = now + LOOK_SECONDS

    def remove(self, session: ListenerSession) -> None:
        """Forget the session."""
        if session.audio is not None:
            session.audio.starved.pop(session, None)

    def fire(self, now: float) -> None:
        """Look at every audio that has starved listeners."""
        for audio in list(self._watched):
            if not audio.listeners or not audio.growing:
                del self._watched[audio]
            elif audio.starved:
                self._look(audio, now)
        self._next_look = now + LOOK_SECONDS if self._watched else None

    def wake(self, audio: SharedAudio) -> None:
        """Let all starved sessions of `audio` be served."""
        starved, audio.starved = audio.starved, {}
        for session in starved:
            if not session.flowing:
                session.grow()
            self._schedule.put_due(session)

    def _look(self, audio: SharedAudio, now: float) -> None:
        try:
            grown = self._pool.refresh(audio)
        except AudioUnavailable as error:
            self._give_up(audio, error)
            return
        silence = now - audio.grown_at
        if grown:
            audio.grown_at = now
            self.wake(audio)
        elif silence >= self._give_up_seconds:
            self._give_up(audio, StreamStalled(f"It has not grown for {self._give_up_seconds:g} s."))
        elif silence >= self._stall_seconds:
            for session in list(audio.starved):
                if session.flowing:
                    session.stall()

    def _give_up(self, audio: SharedAudio, error: AudioUnavailable | StreamStalled) -> None:
        audio.growing = False
        audio.failure = error
        self.wake(audio)
