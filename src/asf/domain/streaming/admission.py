"""Admits sessions: at once, or when their stream is announced."""

import logging
from collections.abc import Callable
from functools import partial

from asf.domain.clock import Clock
from asf.domain.errors import (
    AsfError,
    CatalogUnavailable,
    Draining,
    EpochChanged,
    InternalError,
    StreamNotFound,
)
from asf.domain.signal import Signal
from asf.domain.streaming import simulation
from asf.domain.streaming.audio_pool import AudioPool
from asf.domain.streaming.look_ups import LookUps, Spawn
from asf.domain.streaming.opened_audio import OpenedAudio
from asf.domain.streaming.ports import StreamingObserver
from asf.domain.streaming.pump import AudioPump
from asf.domain.streaming.session import ListenerSession
from asf.domain.streaming.shared_audio import SharedAudio
from asf.domain.streaming.waiting_room import WaitingRoom
from asf.domain.streams.catalog import StreamCatalog
from asf.domain.streams.stream import AudioStream, StreamState

STARTS_AT_ONCE = 32
"""Maximum sessions that start before an announcement is answered. More of them start in a task, which yields."""

logger = logging.getLogger(__name__)


def _go_on() -> None:
    """Yield to nobody."""


class Admission:
    """Finds the audio that a session asks for and starts the session, or lets it wait for its stream.

    A session is pending from `admit` until it starts or waits: until then its join is not answered. A session whose
    stream may still change follows it in the catalog, to start when it is announced, and to end when it ends. With
    `with_simulation` the stream id `simulation` stands for the simulation, unless audio is announced under it.

    Looking up a stream and opening its audio may yield to other tasks, so a session may have ended when they return.
    What is not local may keep one waiting for as long as a store does not answer. With `spawn` this is done in a task
    of its own: neither the listener's further commands nor a backend's announcement wait for it. Local look-ups need
    no task; without `spawn`, none has one. `checkpoint` is called after each session that has waited and starts, and
    may yield: thousands may have waited for one stream.
    """

    def __init__(
        self,
        catalog: StreamCatalog,
        pool: AudioPool,
        pump: AudioPump,
        waiting: WaitingRoom,
        clock: Clock,
        observer: StreamingObserver,
        *,
        with_simulation: bool = False,
        spawn: Spawn | None = None,
        checkpoint: Callable[[], object] = _go_on,
    ) -> None:
        self._catalog = catalog
        self._pool = pool
        self._pump = pump
        self._waiting = waiting
        self._clock = clock
        self._observer = observer
        self._with_simulation = with_simulation
        self._spawn = spawn
        self._look_ups = None if spawn is None else LookUps(spawn)
        self._checkpoint = checkpoint
        self.on_start: Signal[ListenerSession] = Signal()
        """Called with each session that has started, before anything is sent but its first events."""
        self.on_join: Signal[ListenerSession] = Signal()
        """Called with each session that is accepted: it starts now, or waits for its stream."""
        self.on_end: Signal[ListenerSession] = Signal()
        """Called with each session that was accepted, when it has ended."""
        self._pending: set[ListenerSession] = set()
        self._following: set[ListenerSession] = set()
        # What is being opened for the sessions that wait, or what they are being started on, by stream id: the newest
        # value of the stream.
        self._opening: dict[str, AudioStream] = {}
        self._closed = False
        catalog.watch(self._stream_changed)

    @property
    def closed(self) -> bool:
        """Whether no further sessions are admitted."""
        return self._closed

    def close(self) -> None:
        """Admit no further sessions. Those that wait for their stream still start when it is announced."""
        self._closed = True

    def is_pending(self, session: ListenerSession) -> bool:
        """Return whether the session neither has started nor waits for its stream yet."""
        return session in self._pending

    def open(self, stream_id: str, until: float | None) -> OpenedAudio:
        """Return the stream's audio, for a listener that has access until `until`; pair every call with `release`.

        May yield to other tasks. Raises `StreamNotFound`, `AudioUnavailable`, `GenerationFailed` or
        `CatalogUnavailable`.
        """
        stream = self._catalog.find_at_once(stream_id) or self._catalog.find(stream_id)
        return OpenedAudio(stream, self._pool.acquire(stream), until)

    def release(self, opened: OpenedAudio) -> None:
        """Release what `open` returned. A session that has started on it keeps the audio open."""
        self._pool.release(opened.audio)

    def admit(self, session: ListenerSession, listener_id: str, opened: OpenedAudio | None = None) -> None:
        """Start the listener's session on its stream, or on the audio that was `opened` for it, or let it wait.

        May yield to other tasks. Raises `Draining`, `StreamNotFound`, `EpochChanged`, `AudioUnavailable`,
        `GenerationFailed` or `CatalogUnavailable`, after which the session has ended. Raises nothing if another task
        has ended the session meanwhile. An error that is found in a task of its own ends the session, which notifies
        its listener.
        """
        self._pending.add(session)
        try:
            if opened is not None:
                self._pool.share(opened.audio)
                self._start_now(session, opened.stream, opened.audio)
            elif self._look_ups is None:
                self._find_and_start(session)
            else:
                run_in_task = partial(self._look_ups.start, listener_id)
                stream = self._catalog.find_at_once(session.stream_id)
                if stream is not None and session.request.epoch in {None, stream.epoch}:
                    self._start_on(session, stream, run_in_task)
                elif self._catalog.is_local:
                    self._find_and_start(session, run_in_task)
                else:
                    run_in_task(partial(self._run, session, partial(self._find_and_start, session)))
        except Exception:
            if not session.ended:
                session.abandon()
                raise

    def forget(self, session: ListenerSession) -> bool:
        """Release what a session that has ended held. Returns whether it had started or waited."""
        self._waiting.remove(session)
        if session.audio is not None:
            self._pool.release(session.audio)
        if session in self._following:
            self._following.remove(session)
            self._catalog.unfollow(session.stream_id)
        if session in self._pending:
            self._pending.remove(session)
            return False
        self.on_end(session)
        return True

    def _run(self, session: ListenerSession, work: Callable[[], object]) -> None:
        """Do what admits the session, in a task of its own: nobody catches what it raises."""
        if session.ended:  # Before the task began.
            return
        error: AsfError
        try:
            work()
        except AsfError as caught:
            error = caught
        except Exception:
            logger.exception("Joining stream %r failed", session.stream_id)
            error = InternalError()
        else:
            return
        if not session.ended:
            self._observer.join_rejected(session.stream_id, error, session.emitter.peer())
            session.fail(error)

    def _find_and_start(self, session: ListenerSession, run_in_task: Spawn | None = None) -> None:
        """Find the stream and start the session, as `_start_on` does."""
        request = session.request
        try:
            stream = self._catalog.find(request.stream_id)
        except StreamNotFound:
            if session.ended:
                return
            if self._with_simulation and request.stream_id == simulation.STREAM_ID:
                self._simulate(session)
            elif request.wait:
                self._wait(session)
            else:
                raise
            return
        if request.epoch not in {None, stream.epoch}:
            raise EpochChanged(epoch=stream.epoch)
        if not session.ended:
            self._start_on(session, stream, run_in_task)

    def _start_on(self, session: ListenerSession, stream: AudioStream, run_in_task: Spawn | None) -> None:
        """Start the session on its stream; open audio that is not local with `run_in_task`, if given."""
        if run_in_task is None or self._pool.is_local(stream):
            self._open_and_start(session, stream)
        else:
            run_in_task(partial(self._run, session, partial(self._open_and_start, session, stream)))

    def _open_and_start(self, session: ListenerSession, stream: AudioStream) -> None:
        audio = self._pool.acquire(stream)
        if session.ended:
            self._pool.release(audio)
            return
        self._start_now(session, stream, audio)

    def _simulate(self, session: ListenerSession) -> None:
        session.emitter.emit(*simulation.simulated_events(self._clock.timestamp(), self._pump.chunk_bytes))
        session.abandon()

    def _wait(self, session: ListenerSession) -> None:
        """Let the session wait until its stream is announced."""
        self._accept(session)
        self._waiting.add(session, self._clock.now())
        session.wait()
        self._pump.update_wake_up()
        if not session.ended:
            self._follow(session)

    def _start_now(self, session: ListenerSession, stream: AudioStream, audio: SharedAudio) -> None:
        """Start the session, and send what is due at once. `audio` has been acquired for it."""
        with session.emitter.together():
            try:
                self._accept(session)
            except Exception:
                self._pool.release(audio)
                raise
            self._start(session, stream, audio)
            if session.served:
                self._pump.serve_at_once(session)
        if audio.growing and not session.ended:
            is_there = self._follow(session)
            if not is_there:  # It was deleted between the two reads.
                self._stream_changed(session.stream_id, None)

    def _accept(self, session: ListenerSession) -> None:
        """Report the join of a pending session, which is pending no longer. Raises `Draining`."""
        if self._closed:
            raise Draining
        self._observer.joined(session.session_id, session.stream_id, session.offset, session.emitter.peer())
        self._pending.remove(session)
        self.on_join(session)

    def _start(self, session: ListenerSession, stream: AudioStream, audio: SharedAudio) -> None:
        """Start the session. It holds `audio` from now on, and releases it when it ends, which may be at once."""
        try:
            session.start(stream, audio, self._clock.now(), self._clock.timestamp(), self._pump.chunk_bytes)
        except AsfError as error:
            session.fail(error)
        if not session.ended:
            self.on_start(session)

    def _follow(self, session: ListenerSession) -> bool:
        """Follow the session's stream from now on, and handle its current state.

        Returns False if the stream is known not to exist.
        """
        self._following.add(session)
        try:
            stream = self._catalog.follow(session.stream_id)
        except CatalogUnavailable:  # `_stream_changed` is called once the catalog can be reached.
            return True
        if stream is not None:
            self._stream_changed(stream.stream_id, stream)
        return stream is not None

    def _stream_changed(self, stream_id: str, stream: AudioStream | None) -> None:
        """Wake the sessions on a stream that is now `stream` (None: deleted), and start those that wait for it."""
        for audio in self._pool.growing_of(stream_id):
            if stream is None or stream.epoch != audio.stream.epoch or stream.state is not StreamState.GENERATING:
                self._pool.finalize(audio, stream)
                self._pump.wake(audio)
        if stream is None:
            self._opening.pop(stream_id, None)
        elif self._opening.get(stream_id) != stream:
            self._start_waiting(stream)

    def _start_waiting(self, stream: AudioStream) -> None:
        """Start the sessions that wait for the stream. Its audio is opened once for all of them, which may yield.

        What is being opened for an earlier value of the stream is not wanted any more.
        """
        self._opening.pop(stream.stream_id, None)
        waiting = self._waiting_for(stream)
        if not waiting:
            return
        self._opening[stream.stream_id] = stream
        is_short = len(waiting) <= STARTS_AT_ONCE and self._pool.is_local(stream)
        if is_short or self._spawn is None:
            self._open_for_waiting(stream)
        else:
            self._spawn(partial(self._open_for_waiting, stream))

    def _waiting_for(self, stream: AudioStream) -> list[ListenerSession]:
        """Return the sessions that wait for the stream as it is now; fail those that wait for another epoch."""
        for session in self._waiting.of(stream.stream_id):
            if session.request.epoch not in {None, stream.epoch}:
                session.fail(EpochChanged(epoch=stream.epoch))
        return self._waiting.of(stream.stream_id)

    def _open_for_waiting(self, stream: AudioStream) -> None:
        """Open the stream's audio, and start the sessions that wait, for as long as it is wanted. May yield."""
        audio: SharedAudio | None = None
        error: AsfError = InternalError()
        try:
            audio = self._pool.acquire(stream)
        except AsfError as caught:
            error = caught
        except Exception:
            logger.exception("Opening the audio of stream %r failed", stream.stream_id)
        try:
            while self._is_wanted(stream) and (waiting := self._waiting_for(stream)):
                for session in waiting:
                    if not self._is_wanted(stream):
                        break
                    if session not in self._waiting:  # It has ended meanwhile.
                        continue
                    if audio is None:
                        session.fail(error)
                    else:
                        self._start_waiting_session(session, stream, audio)
                    self._checkpoint()
        finally:
            if self._is_wanted(stream):
                del self._opening[stream.stream_id]
            if audio is not None:
                self._pool.release(audio)

    def _is_wanted(self, stream: AudioStream) -> bool:
        """Return whether this is still the newest value of the stream whose waiting sessions are being started."""
        return self._opening.get(stream.stream_id) is stream

    def _start_waiting_session(self, session: ListenerSession, stream: AudioStream, audio: SharedAudio) -> None:
        self._waiting.remove(session)
        self._pool.share(audio)
        self._start(session, stream, audio)
        if session.served:
            self._pump.serve_soon(session)
