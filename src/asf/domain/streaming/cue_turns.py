"""When a session is sent cues, between its audio."""

from asf.domain.streaming.session import ListenerSession
from asf.domain.streaming.slow_listeners import SlowListeners


class CueTurns:
    """Sends a piece of cues whenever a session is served.

    A listener that takes less than what is due to it takes audio and cues in turns: neither waits for all of the
    other. `slow_listeners` has the sessions that are blocked.
    """

    def __init__(self, slow_listeners: SlowListeners) -> None:
        self._slow_listeners = slow_listeners

    def take(self, session: ListenerSession) -> bool:
        """Send a piece if there is one and it is its turn. Returns False if the listener does not take it."""
        cues = session.cues
        assert cues is not None  # noqa: S101 - the caller has looked
        piece = cues.next_piece()
        if piece is None or session.start_is_due:
            return True
        if session in self._slow_listeners and cues.yields_to_audio(session.sent_bytes):
            return True
        if not session.emitter.send_cues(piece):
            return False
        cues.advance(session.sent_bytes)
        self._slow_listeners.remove(session)
        return True

    @staticmethod
    def is_due(session: ListenerSession) -> bool:
        """Return whether a piece can be sent now that no audio is due. Then it is its turn."""
        cues = session.cues
        if cues is None or not cues.has_piece or not session.served or session.start_is_due:
            return False
        cues.take_turn()
        return True
