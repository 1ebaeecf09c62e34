"""Describes the listeners of this node."""

from asf.domain.clock import Clock
from asf.domain.operations.entries import Kind, SessionEntry, Wait
from asf.domain.streaming.admission import Admission
from asf.domain.streaming.lifecycle import SessionState
from asf.domain.streaming.pump import AudioPump
from asf.domain.streaming.session import ListenerSession
from asf.domain.streaming.shared_audio import SharedAudio
from asf.domain.streaming.slow_listeners import SlowListeners

STATES = {
    SessionState.WAITING: "waiting",
    SessionState.WAITING_PAUSED: "waiting",
    SessionState.FLOWING: "flowing",
    SessionState.STALLED: "stalled",
    SessionState.PAUSED: "paused",
    SessionState.ENDED: "ended",
}
"""Names of the states, in entries."""


class Listeners:
    """Describes sessions, from what the components of streaming know about them."""

    def __init__(
        self, node: str, admission: Admission, pump: AudioPump, slow_listeners: SlowListeners, clock: Clock
    ) -> None:
        self._node = node
        self._admission = admission
        self._pump = pump
        self._slow_listeners = slow_listeners
        self._clock = clock

    def is_blocked(self, session: ListenerSession) -> bool:
        """Return whether the listener does not read what is sent to it."""
        return session in self._slow_listeners

    def entry(self, session: ListenerSession) -> SessionEntry:
        """Return the entry of a session."""
        now = self._clock.now()
        audio, stream = session.audio, session.stream
        silence = self._slow_listeners.silence(session, now)
        return SessionEntry(
            id=session.session_id,
            kind=Kind.LISTENER,
            node=self._node,
            since=round(self._clock.timestamp() - (now - session.opened_at), 3),
            state="joining" if self._admission.is_pending(session) else STATES[session.state],
            stream_id=session.stream_id,
            peer=session.emitter.peer(),
            epoch=None if stream is None else stream.epoch,
            offset=session.offset,
            bytes=session.sent_bytes,
            behind_bytes=None if audio is None else max(0, int(min(audio.size, session.stop)) - session.offset),
            ahead_seconds=_ahead_seconds(session, now),
            blocked=silence is not None,
            waits_for=self._wait_of(session),
            silent_seconds=None if silence is None else round(silence, 1),
        )

    def _wait_of(self, session: ListenerSession) -> Wait | None:
        if self._admission.is_pending(session):
            return Wait.LOOK_UP
        if session.state in {SessionState.PAUSED, SessionState.WAITING_PAUSED}:
            return Wait.RESUME
        return Wait.ANNOUNCEMENT if session.audio is None else self._wait_for_audio(session, session.audio)

    def _wait_for_audio(self, session: ListenerSession, audio: SharedAudio) -> Wait | None:
        if session in self._slow_listeners:
            return Wait.CLIENT
        if self._pump.is_fetching(session):
            return Wait.STORAGE
        if session.window is not None and session.offset - session.acknowledged >= session.window:
            return Wait.ACKNOWLEDGEMENT
        return Wait.GROWTH if audio.growing and session.offset >= audio.size else None


def _ahead_seconds(session: ListenerSession, now: float) -> float | None:
    lead, audio = session.lead, session.audio
    if lead is None or audio is None or audio.durations is None or audio.durations.is_unknown:
        return None
    return round(lead.seconds_ahead(audio.durations, session.offset, now), 3)
