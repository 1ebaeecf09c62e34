"""The body of a response that has a session: the connection of an HTTP client to the domain."""

import errno
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from queue import Empty, Queue

from asf.adapters.client_intake import ClientIntake
from asf.adapters.runtime import ConnectionControl
from asf.domain.cues.track import CuePiece
from asf.domain.errors import Disconnected, InternalError, ListenerTooSlow, Unauthorized
from asf.domain.peer import Peer
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.events import EndOfStream, ListenerEvent, StreamFailed
from asf.domain.streaming.intake import Intake
from asf.domain.streaming.opened_audio import OpenedAudio
from asf.domain.streaming.service import StreamingService
from asf.domain.streaming.session import ListenRequest

PART_BYTES = 16 * 1024
"""Maximum bytes of audio that wait to be sent. Each part that a slow client takes shows that it still reads."""

POLL_SECONDS = 1.0
"""Interval between checks whether a client that waits for more audio has disconnected."""

STOPS_AT_ONCE = (ListenerTooSlow, Unauthorized, Disconnected)
"""Errors that end the connection although the client has not read what was sent."""

Part = bytes | EndOfStream | StreamFailed


class PlaybackBody:
    """The body of one response: implements the `ListenerEmitter` port, and is the iterator of what the server sends.

    At most `PART_BYTES` wait to be sent. `control` is that of the request's connection. The client may read nothing
    for `pause_seconds`. A response that ends early is reset: nothing else shows the client that it is incomplete
    where its length is unknown.
    """

    def __init__(
        self,
        service: StreamingService,
        listener_id: str,
        stream_id: str,
        control: ConnectionControl,
        pause_seconds: float,
        peer: Peer,
    ) -> None:
        self._peer = peer
        self._service = service
        self._listener_id = listener_id
        self._stream_id = stream_id
        self._control = control
        self._pause_seconds = pause_seconds
        self._intake = ClientIntake(control.progress)
        self._is_sending = False  # Whether the server's task may be blocked, sending to a client that does not read.
        self._offset = 0
        # Audio, then an event that ends it.
        self._parts: Queue[Part] = Queue()
        # Taken from the queue before the response began.
        self._first: Part | None = None
        self._callback: Callable[[], None] | None = None

    def open(self, opened: OpenedAudio, offset: int = 0, stop: int | None = None) -> None:
        """Start a session on `opened`, from byte `offset` to `stop` (exclusive; None: the end), and await its audio.

        Waits until there is audio to send, or there will be none. Raises what `StreamingService.join` does, and the
        error that ends the session before its first byte.
        """
        self._offset = offset
        request = ListenRequest(self._stream_id, offset, paced=False, silence_seconds=self._pause_seconds, stop=stop)
        self._service.join(self._listener_id, request, self, opened)
        try:
            first = self._next_part()
        except BaseException:
            self.close()
            raise
        if isinstance(first, StreamFailed):  # Its session has ended.
            raise first.error
        # A client that has disconnected receives nothing, whatever follows.
        self._first = StreamFailed(self._stream_id, InternalError(), offset) if first is None else first

    def emit(self, *events: ListenerEvent) -> None:
        """Take the end of the audio. Other events are dropped; the response headers carry that information."""
        for event in events:
            if isinstance(event, EndOfStream | StreamFailed):
                self._parts.put(event)
            if isinstance(event, StreamFailed) and isinstance(event.error, STOPS_AT_ONCE):
                self._abort_sending()

    def together(self) -> AbstractContextManager[None]:
        """Change nothing: a response has audio only."""
        return nullcontext()

    def send_audio(self, batch: AudioBatch, start: int, stop: int) -> int:
        """Take up to `PART_BYTES`, unless earlier audio still waits to be sent."""
        if self._first is not None or self._parts.qsize():
            return 0
        stop = min(stop, start + PART_BYTES)
        self._parts.put(batch.data[start - batch.offset : stop - batch.offset])
        return stop - start

    def send_cues(self, piece: CuePiece) -> bool:  # noqa: ARG002 - a response has audio only
        """Drop the cues."""
        return True

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, when the server takes the waiting part to send it."""
        self._callback = callback

    def intake(self) -> Intake:
        """Return how much the client has taken of the response."""
        return self._intake.look()

    def break_off(self) -> None:
        """Close the connection at once, and end the iteration."""
        self._parts.put(StreamFailed(self._stream_id, InternalError(), self._offset))
        self._abort_sending()

    def peer(self) -> Peer:
        """Return who is connected."""
        return self._peer

    def detach(self) -> None:
        """Forget the callback."""
        self._callback = None

    def close(self) -> None:
        """End the session. WSGI calls this at the end of the response, whether all of it was sent or not."""
        self._service.disconnect(self._listener_id)
        self._abort_sending()  # If sending has failed: else the client may take what it has for all of it.

    def __iter__(self) -> "PlaybackBody":
        return self

    def __next__(self) -> bytes:
        self._is_sending = False
        part = self._first
        if part is None:
            part = self._next_part()
        self._first = None
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()
        if isinstance(part, StreamFailed):
            self._control.reset()
            raise ConnectionResetError(errno.ECONNRESET, f"The stream has failed: {part.error.error_code}")
        if not isinstance(part, bytes):
            raise StopIteration
        self._is_sending = True
        return part

    def _abort_sending(self) -> None:
        """End the connection if a part is being sent. Else the end, which is the next part, does so.

        If the response has not begun, it will be that of the error.
        """
        if self._is_sending:
            self._control.abort()

    def _next_part(self) -> Part | None:
        """Return the next part, or None when the client has disconnected while there was none."""
        while True:
            try:
                return self._parts.get(timeout=POLL_SECONDS)
            except Empty:
                if self._control.is_gone():
                    self._control.abort()
                    return None
