"""Listeners come and go."""

from dataclasses import dataclass
from functools import partial

from asf.domain.access.control import AccessControl
from asf.domain.clock import Clock
from asf.domain.errors import (
    AsfError,
    AudioChanged,
    CatalogUnavailable,
    Draining,
    EpochChanged,
    InvalidAck,
    NoSession,
    StreamNotFound,
    TooManyListeners,
)
from asf.domain.streaming import simulation
from asf.domain.streaming.pool import AudioPool, SharedAudio
from asf.domain.streaming.ports import ListenerEmitter, StreamingObserver
from asf.domain.streaming.pump import AudioPump
from asf.domain.streaming.session import ListenerSession, ListenRequest
from asf.domain.streaming.waiting_room import WaitingRoom
from asf.domain.streams.catalog import StreamCatalog
from asf.domain.streams.stream import AudioStream, StreamState


@dataclass(frozen=True, slots=True)
class AudioDescription:
    """What can be said about a stream's audio before it is listened to.

    `total_bytes` and `fingerprint`, which is equal only for equal bytes, are None unless the audio is complete.
    """

    stream: AudioStream
    content_type: str
    total_bytes: int | None
    fingerprint: str | None


class StreamingService:
    """The sessions of this process: one stream a listener, a session of its own for each.

    A listener is known by the id of its connection. There are at most `max_listeners` at a time. With
    `with_simulation` the stream id `simulation` stands for the simulation, unless audio is announced under it.

    Looking a stream up and opening its audio may take time, in which others have their turns: a session has its place
    before that, and may have ended after it.
    """

    def __init__(
        self,
        catalog: StreamCatalog,
        pool: AudioPool,
        pump: AudioPump,
        waiting: WaitingRoom,
        access: AccessControl,
        clock: Clock,
        observer: StreamingObserver,
        max_listeners: int,
        *,
        with_simulation: bool = False,
    ) -> None:
        self._catalog = catalog
        self._pool = pool
        self._pump = pump
        self._waiting = waiting
        self._access = access
        self._clock = clock
        self._observer = observer
        self._max_listeners = max_listeners
        self._with_simulation = with_simulation
        self._chunk_bytes = pump.chunk_bytes
        self._sessions: dict[str, ListenerSession] = {}
        self._arriving: set[ListenerSession] = set()
        self._following: set[ListenerSession] = set()
        self._draining = False
        catalog.watch(self._stream_changed)

    def __len__(self) -> int:
        """Return how many sessions are under way."""
        return len(self._sessions)

    def describe(self, stream_id: str, token: object = None) -> AudioDescription:
        """Return what the stream's audio is now, for whoever may join it with `token`.

        Raises `Unauthorized`, `StreamNotFound`, `AudioUnavailable`, `GenerationFailed` or `CatalogUnavailable`.
        """
        self._access.check_stream(token, stream_id)
        stream = self._catalog.find(stream_id)
        audio = self._pool.acquire(stream)
        try:
            complete = audio.stream.state is StreamState.COMPLETE
            return AudioDescription(
                stream,
                audio.content_type,
                audio.total_bytes if complete else None,
                audio.fingerprint if complete else None,
            )
        finally:
            self._pool.release(audio)

    def join(self, listener_id: str, request: ListenRequest, emitter: ListenerEmitter) -> None:
        """Begin a session on the stream, in place of the listener's earlier one, and send what is due at once.

        It ends with the token of the request, where one is required. Raises `Draining`, `Unauthorized`,
        `TooManyListeners`, `StreamNotFound`, `EpochChanged`, `AudioUnavailable`, `GenerationFailed` or
        `CatalogUnavailable`; the earlier session, if any, has ended all the same. Raises nothing where the listener
        has left, or joined something else, in the meantime.
        """
        self._end_earlier(listener_id)
        if self._draining:
            raise Draining
        until = self._access.check_stream(request.token, request.stream_id)
        if len(self._sessions) >= self._max_listeners:
            raise TooManyListeners(f"There are {self._max_listeners}.")
        session = self._open_session(listener_id, request, emitter, until)
        try:
            self._admit(session)
        except Exception:
            if not session.ended:
                session.abandon()
                raise

    def leave(self, listener_id: str, stream_id: str | None = None) -> None:
        """End the listener's session, at its own wish. Raises `NoSession` when it has none (on that stream)."""
        self._session(listener_id, stream_id).leave()

    def disconnect(self, listener_id: str) -> None:
        """End the session of a listener that is gone, if it has one, and free what it held."""
        session = self._sessions.get(listener_id)
        if session is not None:
            session.abandon()

    def pause(self, listener_id: str, stream_id: str | None = None) -> None:
        """Send the listener no audio until it resumes. Raises `NoSession`."""
        session = self._session(listener_id, stream_id)
        self._pump.remove(session)
        session.pause()

    def resume(self, listener_id: str, stream_id: str | None = None) -> None:
        """Go on with the listener's audio. Raises `NoSession`."""
        session = self._session(listener_id, stream_id)
        session.resume(self._clock.now())
        if session.flowing:
            self._pump.serve_soon(session)

    def seek(self, listener_id: str, offset: int) -> None:
        """Go on from byte `offset` of the stream. Raises `NoSession`."""
        session = self._session(listener_id, None)
        self._pump.remove(session)
        session.seek(offset, self._clock.now(), self._clock.timestamp(), self._chunk_bytes)
        if session.flowing:
            self._pump.serve_soon(session)

    def acknowledge(self, listener_id: str, received: int) -> None:
        """Take note that the listener has everything before byte `received` of the stream.

        Raises `NoSession`, or `InvalidAck` when that is more than was sent; then nothing has changed.
        """
        session = self._session(listener_id, None)
        if not session.acknowledge(received):
            raise InvalidAck(f"{session.offset} were sent.")
        if session.window is not None and session.flowing:
            self._pump.serve_soon(session)

    @property
    def draining(self) -> bool:
        """Whether no session begins any more."""
        return self._draining

    def drain(self) -> None:
        """Let no session begin any more, and tell all listeners that the server will be gone soon."""
        self._draining = True
        for session in list(self._sessions.values()):
            if session not in self._arriving:
                session.announce_drain()

    def end_all(self) -> None:
        """End the sessions that are left."""
        for session in list(self._sessions.values()):
            session.fail(Draining())

    def _session(self, listener_id: str, stream_id: str | None) -> ListenerSession:
        session = self._sessions.get(listener_id)
        if session is None or (stream_id is not None and stream_id != session.stream_id):
            raise NoSession
        return session

    def _open_session(
        self, listener_id: str, request: ListenRequest, emitter: ListenerEmitter, until: float | None
    ) -> ListenerSession:
        session = ListenerSession(request, emitter, partial(self._forget, listener_id))
        session.opened_at = self._clock.now()
        self._sessions[listener_id] = session
        self._arriving.add(session)
        self._access.end_at(session, until, session.fail)
        return session

    def _end_earlier(self, listener_id: str) -> None:
        earlier = self._sessions.get(listener_id)
        if earlier in self._arriving:  # Nobody was told of it yet.
            self.disconnect(listener_id)
        elif earlier is not None:
            earlier.leave()

    def _admit(self, session: ListenerSession) -> None:
        """Look up what the session asks for, and begin it, or let it wait."""
        request = session.request
        try:
            stream = self._catalog.find(request.stream_id)
        except StreamNotFound:
            if session.ended:
                return
            if self._with_simulation and request.stream_id == simulation.STREAM_ID:
                session.emitter.emit(*simulation.simulated_events(self._clock.timestamp(), self._chunk_bytes))
                session.abandon()
            elif request.wait:
                self._arrive(session)
                self._wait(session)
            else:
                raise
            return
        audio = self._audio_for(request, stream)
        if session.ended:
            self._pool.release(audio)
            return
        try:
            self._arrive(session)
        except Exception:
            self._pool.release(audio)
            raise
        self._begin(session, stream, audio)
        if session.flowing:
            self._pump.serve_at_once(session)
        if audio.growing and not session.ended:
            is_there = self._follow(session)
            if not is_there:  # It was deleted between the two looks.
                self._stream_changed(session.stream_id, None)

    def _arrive(self, session: ListenerSession) -> None:
        """Take note that the session has what it needs. Raises `Draining`."""
        if self._draining:
            raise Draining
        self._observer.joined(session.stream_id)
        self._arriving.remove(session)

    def _wait(self, session: ListenerSession) -> None:
        self._waiting.add(session, self._clock.now())
        session.wait()
        self._pump.look_again()
        if not session.ended:
            self._follow(session)

    def _follow(self, session: ListenerSession) -> bool:
        """Be told what becomes of the session's stream from now on, and see what has become of it until now.

        Returns whether there is such a stream, as far as can be said.
        """
        self._following.add(session)
        try:
            stream = self._catalog.follow(session.stream_id)
        except CatalogUnavailable:  # It tells when it is back.
            return True
        if stream is not None:
            self._stream_changed(stream.stream_id, stream)
        return stream is not None

    def _audio_for(self, request: ListenRequest, stream: AudioStream) -> SharedAudio:
        if request.epoch is not None and request.epoch != stream.epoch:
            raise EpochChanged(epoch=stream.epoch)
        audio = self._pool.acquire(stream)
        if request.fingerprint is not None and (audio.growing or audio.fingerprint != request.fingerprint):
            self._pool.release(audio)
            raise AudioChanged("It was replaced in the meantime.")
        return audio

    def _begin(self, session: ListenerSession, stream: AudioStream, audio: SharedAudio) -> None:
        """Begin the session. It holds `audio` from now on, and gives it back when it ends, which may be at once."""
        try:
            session.begin(stream, audio, self._clock.now(), self._clock.timestamp(), self._chunk_bytes)
        except AsfError as error:
            session.fail(error)

    def _stream_changed(self, stream_id: str, stream: AudioStream | None) -> None:
        """Let those go on who wait for the stream, or for what becomes of its audio."""
        for audio in self._pool.growing_of(stream_id):
            if stream is None or stream.epoch != audio.stream.epoch or stream.state is not StreamState.GENERATING:
                self._pool.finalize(audio, stream)
                self._pump.wake(audio)
        if stream is None:
            return
        self._let_in(stream)

    def _let_in(self, stream: AudioStream) -> None:
        """Let those begin who wait for the stream. Its audio is opened once for all of them, which may take time."""
        for session in self._waiting.of(stream.stream_id):
            if session.request.epoch not in {None, stream.epoch}:
                session.fail(EpochChanged(epoch=stream.epoch))
        waiting = self._waiting.of(stream.stream_id)
        if not waiting:
            return
        try:
            audio = self._pool.acquire(stream)
        except AsfError as error:
            for session in waiting:
                session.fail(error)
            return
        try:
            for session in waiting:
                if session not in self._waiting:  # It has left meanwhile.
                    continue
                self._waiting.remove(session)
                self._pool.share(audio)
                self._begin(session, stream, audio)
                if session.flowing:
                    self._pump.serve_soon(session)
        finally:
            self._pool.release(audio)

    def _forget(self, listener_id: str, session: ListenerSession, outcome: str) -> None:
        del self._sessions[listener_id]
        self._access.forget(session)
        self._waiting.remove(session)
        self._pump.remove(session)
        if session.audio is not None:
            self._pool.release(session.audio)
        if session in self._following:
            self._following.remove(session)
            self._catalog.unfollow(session.stream_id)
        if session in self._arriving:
            self._arriving.remove(session)
            return
        self._observer.ended(session.stream_id, outcome, session.sent_bytes, self._clock.now() - session.opened_at)
