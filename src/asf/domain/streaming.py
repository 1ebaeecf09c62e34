"""Listeners come and go."""

from functools import partial

from asf.domain.catalog import StreamCatalog
from asf.domain.errors import TooManyListeners
from asf.domain.pool import AudioPool
from asf.domain.ports import ListenerEmitter, StreamingObserver
from asf.domain.pump import AudioPump
from asf.domain.session import ListenerSession


class StreamingService:
    """The sessions of this process: one stream a listener, a session of its own for each.

    A listener is known by the id of its connection. There are at most `max_listeners` at a time.
    """

    def __init__(
        self,
        catalog: StreamCatalog,
        pool: AudioPool,
        pump: AudioPump,
        observer: StreamingObserver,
        max_listeners: int,
    ) -> None:
        self._catalog = catalog
        self._pool = pool
        self._pump = pump
        self._observer = observer
        self._max_listeners = max_listeners
        self._sessions: dict[str, ListenerSession] = {}

    def __len__(self) -> int:
        """Return how many sessions are under way."""
        return len(self._sessions)

    def join(self, listener_id: str, stream_id: str, emitter: ListenerEmitter) -> None:
        """Begin a session on the stream, in place of the listener's earlier one, and send what is due at once.

        Raises `TooManyListeners`, `StreamNotFound` or `AudioUnavailable`; the earlier session, if any, has ended all
        the same.
        """
        self.leave(listener_id)
        if len(self._sessions) >= self._max_listeners:
            raise TooManyListeners(f"There are {self._max_listeners}.")
        stream = self._catalog.find(stream_id)
        audio = self._pool.acquire(stream)
        session = ListenerSession(stream, audio, emitter, partial(self._forget, listener_id))
        self._sessions[listener_id] = session
        self._observer.joined()
        self._pump.start(session)

    def leave(self, listener_id: str) -> None:
        """End the listener's session, if it has one, and free what it held."""
        session = self._sessions.get(listener_id)
        if session is not None:
            session.abandon()

    def _forget(self, listener_id: str, session: ListenerSession, outcome: str) -> None:
        del self._sessions[listener_id]
        self._pump.remove(session)
        self._pool.release(session.audio)
        self._observer.ended(outcome)
