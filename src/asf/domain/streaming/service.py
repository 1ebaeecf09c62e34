"""The streaming service: the sessions of this process, and the commands of their listeners."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count

from asf.domain.access.control import AccessControl
from asf.domain.clock import Clock
from asf.domain.cues.feeds import CueFeeds
from asf.domain.errors import AsfError, Draining, InvalidAck, NoSession, TooManyListeners
from asf.domain.peer import Peer
from asf.domain.streaming.admission import Admission
from asf.domain.streaming.listener_limit import ListenerLimit
from asf.domain.streaming.opened_audio import OpenedAudio
from asf.domain.streaming.ports import ListenerEmitter, StreamingObserver
from asf.domain.streaming.pump import AudioPump
from asf.domain.streaming.seek_limit import SeekLimit
from asf.domain.streaming.session import ListenerSession, ListenRequest


class StreamingService:
    """The sessions of this process, at most one for each listener.

    A listener is identified by the id of its connection. `limit` says how many may have a session at a time. One
    counts from its join on, even before its stream is looked up, because `admission` may yield to other tasks.

    `checkpoint` is called after each of the sessions that something is done with in a row, and may yield. Without
    `cues` no session has any.
    """

    def __init__(
        self,
        admission: Admission,
        pump: AudioPump,
        access: AccessControl,
        clock: Clock,
        observer: StreamingObserver,
        limit: ListenerLimit,
        seeks: SeekLimit,
        checkpoint: Callable[[], object],
        cues: CueFeeds | None = None,
    ) -> None:
        self._admission = admission
        self._pump = pump
        self._access = access
        self._clock = clock
        self._observer = observer
        self._limit = limit
        self._seeks = seeks
        self._checkpoint = checkpoint
        self._cues = cues
        admission.on_start.connect(self._open_cues)
        self._sessions: dict[str, ListenerSession] = {}
        self._numbers = count(1)

    @property
    def max_listeners(self) -> int:
        """Maximum number of concurrent listeners."""
        return self._limit.most

    def __len__(self) -> int:
        """Return how many sessions there are."""
        return len(self._sessions)

    @contextmanager
    def open(self, stream_id: str, token: object = None, peer: Peer | None = None) -> Iterator[OpenedAudio]:
        """Open the stream's audio, for a `peer` that needs its properties before it joins, or instead of joining.

        When the context exits, the audio is closed unless a session has started on it. May yield to other tasks.
        Raises `Unauthorized`, `StreamNotFound`, `AudioUnavailable`, `GenerationFailed` or `CatalogUnavailable`.
        """
        try:
            until = self._access.check_stream(token, stream_id)
            opened = self._admission.open(stream_id, until)
        except AsfError as error:
            self.reject(stream_id, error, peer)
            raise
        try:
            yield opened
        finally:
            self._admission.release(opened)

    def join(
        self,
        listener_id: str,
        request: ListenRequest,
        emitter: ListenerEmitter,
        opened: OpenedAudio | None = None,
    ) -> None:
        """Start a session, which replaces the listener's earlier one, and send what is due at once.

        The session ends when the request's token expires, if tokens are required. With `opened`, which `open`
        returned for the same stream and token, nothing is looked up or checked again. May yield to other tasks.

        `admission` may look up what is not local in a task of its own. The session is pending when this returns, and
        takes all commands; an error that is found in the task reaches the listener as an event.

        Raises `Draining`, `Unauthorized`, `TooManyListeners`, `StreamNotFound`, `EpochChanged`, `AudioUnavailable`,
        `GenerationFailed` or `CatalogUnavailable`; the earlier session, if any, has nevertheless ended. Raises
        nothing if the listener has left, or joined another stream, meanwhile.
        """
        try:
            self._end_earlier(listener_id)
            if self._admission.closed:
                raise Draining
            until = opened.until if opened else self._access.check_stream(request.token, request.stream_id)
            if not self._limit.admits(len(self._sessions)):
                raise TooManyListeners(f"The limit is {self._limit.most}.")
            session = self._add_session(listener_id, request, emitter)
            self._access.end_at(session, until, session.fail)
            self._admission.admit(session, listener_id, opened)
        except AsfError as error:
            self.reject(request.stream_id, error, emitter.peer())
            raise

    def reject(self, stream_id: str, error: AsfError, peer: Peer | None) -> None:
        """Record that a join was answered with `error`: by `open` and `join`, or before they were called.

        `stream_id` is what the client has sent, and may be empty. `peer` is who has sent it, if known.
        """
        self._observer.join_rejected(stream_id, error, peer)

    def leave(self, listener_id: str, stream_id: str | None = None) -> None:
        """End the listener's session at its request. Raises `NoSession` when it has none (on that stream)."""
        self._session(listener_id, stream_id).leave()

    def disconnect(self, listener_id: str) -> None:
        """End the session of a listener that has disconnected, if it has one."""
        session = self._sessions.get(listener_id)
        if session is not None:
            session.abandon()

    def pause(self, listener_id: str, stream_id: str | None = None) -> None:
        """Send no audio to the listener until it resumes. Raises `NoSession`."""
        session = self._session(listener_id, stream_id)
        self._pump.remove(session)
        session.pause(self._clock.now())
        if session.served:
            self._pump.serve_soon(session)

    def resume(self, listener_id: str, stream_id: str | None = None) -> None:
        """Send audio to the listener again. Raises `NoSession`."""
        session = self._session(listener_id, stream_id)
        session.resume(self._clock.now())
        if session.served:
            self._pump.serve_soon(session)

    def seek(self, listener_id: str, offset: int) -> None:
        """Continue from byte `offset` of the stream. Raises `NoSession`.

        Of seeks that exceed the rate limit, the last one takes effect, as soon as the rate permits. Nothing is sent
        until then.
        """
        session = self._session(listener_id, None)
        self._pump.remove(session)
        if session.audio is None:  # It fetches nothing.
            self._seek(session, offset)
        else:
            self._seeks.make(listener_id, self._clock.now(), partial(self._seek, session, offset))
            self._pump.update_wake_up()

    def acknowledge(self, listener_id: str, received: int) -> None:
        """Record that the listener has everything before byte `received` of the stream.

        Raises `NoSession`, or `InvalidAck` when that is more than was sent, after which nothing has changed.
        """
        session = self._session(listener_id, None)
        if not session.acknowledge(received):
            raise InvalidAck(f"Only bytes before {session.offset} have been sent.")
        if session.window is not None and session.flowing:
            self._pump.serve_soon(session)

    @property
    def draining(self) -> bool:
        """Whether joins are rejected, as the server shuts down."""
        return self._admission.closed

    def drain(self) -> None:
        """Reject further joins, and notify all listeners that the server will shut down soon. May yield."""
        self._admission.close()
        for session in list(self._sessions.values()):
            if not session.ended and not self._admission.is_pending(session):
                session.announce_drain()
            self._checkpoint()

    def sessions(self) -> list[ListenerSession]:
        """Return all sessions, in the order of their numbers."""
        return list(self._sessions.values())

    def end(self, session_id: str, error: AsfError) -> ListenerSession | None:
        """End a session because of `error`, which its listener receives. Returns it; None if there is none."""
        session = self._sessions.get(session_id.rpartition(".")[0])
        if session is None or session.session_id != session_id:
            return None
        session.fail(error)
        return session

    def end_all(self) -> None:
        """End the sessions that are left. May yield."""
        for session in list(self._sessions.values()):
            session.fail(Draining())
            self._checkpoint()

    def _session(self, listener_id: str, stream_id: str | None) -> ListenerSession:
        session = self._sessions.get(listener_id)
        if session is None or (stream_id is not None and stream_id != session.stream_id):
            raise NoSession
        return session

    def _seek(self, session: ListenerSession, offset: int) -> None:
        self._pump.remove(session)  # Another command may have scheduled it since the seek was delayed.
        session.seek(offset, self._clock.now(), self._clock.timestamp(), self._pump.chunk_bytes)
        if session.served:
            self._pump.serve_soon(session)

    def _end_earlier(self, listener_id: str) -> None:
        earlier = self._sessions.get(listener_id)
        if earlier is None:
            return
        if self._admission.is_pending(earlier):  # Its join was not answered yet.
            earlier.abandon()
        else:
            earlier.leave()

    def _add_session(self, listener_id: str, request: ListenRequest, emitter: ListenerEmitter) -> ListenerSession:
        session = ListenerSession(
            f"{listener_id}.{next(self._numbers)}",
            request,
            emitter,
            self._clock.now(),
            partial(self._forget, listener_id),
        )
        self._sessions[listener_id] = session
        return session

    def _open_cues(self, session: ListenerSession) -> None:
        """Let a session that has started receive the cues of its epoch, if its listener has asked for them."""
        stream, request = session.stream, session.request
        if self._cues is not None and request.cues and stream is not None:
            wake = partial(self._pump.serve_soon, session)
            session.follow_cues(self._cues.open(stream.stream_id, stream.epoch, request.cues_since, wake))

    def _forget(self, listener_id: str, session: ListenerSession, outcome: str) -> None:
        """Remove a session that has ended from all components. Nothing else does."""
        del self._sessions[listener_id]
        self._limit.release(len(self._sessions))
        self._access.forget(session)
        if session.cues is not None:
            session.cues.close()
        self._seeks.forget(listener_id)
        self._pump.remove(session)
        if self._admission.forget(session):
            seconds = self._clock.now() - session.opened_at
            self._observer.ended(session.session_id, session.stream_id, outcome, session.sent_bytes, seconds)
