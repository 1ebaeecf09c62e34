"""The sending side of a WebSocket connection."""

import errno
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from asf.adapters.client_intake import ClientIntake
from asf.adapters.runtime import Event, RawConnection
from asf.adapters.websocket.frames import EMPTY_CLOSE_FRAME, ChunkFraming, binary_frame, text_frame
from asf.domain.streaming.audio import AudioBatch

SENDS_PER_CHECKPOINT = 8
"""Messages that a task sends before it may yield. Audio waits for a task that sends: behind a single ping it must not
wait until all other tasks that have much to do have run."""


class _Pending:
    """Bytes that the kernel has not taken yet. `sent` is set when it takes them, or the connection has failed."""

    __slots__ = ("rest", "sent")

    def __init__(self, rest: bytes, sent: Event | None) -> None:
        self.rest = memoryview(rest)
        self.sent = sent


class FrameSender:
    """Writes frames to a connection, each of them as a unit, in the order of the calls.

    `write_chunks` and `write_whole` never wait: they write what the kernel takes now, and the rest of a half-sent
    message as soon as it takes that. `send` waits for its turn and until the kernel has taken the frame. The system
    call itself is in `eventlet_runtime.raw_connection`. Long polling and HTTP do not pass here.

    `on_idle` is called when a frame was sent after waiting, or by `send`, and nothing else is pending. `timeout`
    is the longest time in seconds in which the client takes no byte of what `send` waits for (None: no limit).
    `intake` tells how the client takes what it is sent. While it is `corked` whole messages are held back, so that
    several, and audio after them, are one write.
    `websocket_closed` says that nothing more can be sent.
    """

    def __init__(self, connection: RawConnection) -> None:
        self.on_idle: Callable[[], None] | None = None
        self.timeout: float | None = None
        self.websocket_closed = False
        self.intake = ClientIntake(connection.progress)
        self._connection = connection
        self._pending: deque[_Pending] = deque()
        self._sending_tasks = 0
        self._sends = 0
        self._held: bytes = b""
        self._is_corked = False

    @property
    def idle(self) -> bool:
        """Whether no frame is half-sent and no task is sending one."""
        return not (self._pending or self._sending_tasks or self.websocket_closed)

    def write_chunks(self, framing: ChunkFraming, batch: AudioBatch, start: int, stop: int) -> int:
        """Write the batch's bytes from `start` to `stop` (offsets in the audio), as far as the kernel takes them.

        Returns how many bytes of audio were taken. The rest of a half-sent message counts as taken: it is written as
        soon as the kernel takes it. A broken connection takes no bytes; the receiving task sees its end.
        Call it only while `idle`.
        """
        frames = framing.render(batch, start, stop)
        sent = self._write(frames)
        if sent == len(frames):
            return stop - start
        if self.websocket_closed:
            return 0
        taken, missing = framing.split_sent(batch, start, stop, sent)
        self._write_later(bytes(frames[sent : sent + missing]))
        return taken

    def write_whole(self, frames: bytes) -> None:
        """Write `frames`, now or as soon as the kernel takes them. Call it only while `idle`."""
        if self._is_corked:
            self._held += frames
            return
        sent = self._write(frames)
        if sent < len(frames):
            self._write_later(frames[sent:])

    def hold(self, data: bytes) -> None:
        """Write `data` with what is written next, or by `flush`. Call it only while `idle`."""
        self._held += data

    def flush(self) -> None:
        """Write what is held back, now or as soon as the kernel takes it."""
        if self._held:
            self._write(b"")

    @contextmanager
    def corked(self) -> Iterator[None]:
        """Hold whole messages back in this context, then write them. The caller must not wait meanwhile."""
        self._is_corked = True
        try:
            yield
        finally:
            self._is_corked = False
            self.flush()

    def send(self, message: str | bytes) -> None:
        """Send one message, and wait until the kernel has taken it. Raises OSError when the connection is closed."""
        self.send_frame(text_frame(message) if isinstance(message, str) else binary_frame(message))
        self._sends += 1
        if self._sends % SENDS_PER_CHECKPOINT == 0:
            self._connection.checkpoint()

    def send_frame(self, frame: bytes) -> None:
        """Send one frame, and wait until the kernel has taken it. Raises OSError when the connection is closed."""
        sent = 0 if self._pending or self.websocket_closed else self._write(frame)
        if sent < len(frame):
            self._wait_until_sent(frame[sent:])
        self._notify_idle()

    def send_close(self, frame: bytes = EMPTY_CLOSE_FRAME) -> None:
        """Send a close frame, unless the connection is closed. A half-sent message is discarded.

        The close frame would wait for the rest of that message, forever if the client has stopped reading.
        """
        self.discard_pending()
        if not self.websocket_closed:
            with suppress(OSError):
                self.send_frame(frame)
            self.websocket_closed = True

    def discard_pending(self) -> None:
        """Discard a half-sent message, if there is one, and so close the WebSocket: no frame can follow it.

        Tasks that wait in `send` get an OSError. The receiving task must close the connection.
        """
        if self._pending:
            self._fail()

    def break_off(self) -> None:
        """End the connection at once and discard unsent data. The receiving task sees the end of the connection."""
        self._fail()
        self._connection.abort()

    def _write(self, data: bytes | memoryview) -> int:
        """Write what is held back, and `data`, as far as the kernel takes them; return how much of `data` it took.

        The rest of what was held back is written as soon as the kernel takes it, in front of anything else.
        """
        held, self._held = self._held, b""
        try:
            if not held:
                return self._connection.write_now(data)
            sent = self._connection.write_now(b"".join((held, data)))
        except OSError:
            self.websocket_closed = True
            return 0
        if sent < len(held):
            self._write_later(held[sent:])
        return max(0, sent - len(held))

    def _write_later(self, rest: bytes, sent: Event | None = None) -> None:
        if not self.websocket_closed:
            self._pending.append(_Pending(rest, sent))
            self._connection.when_writable(self._write_pending)

    def _wait_until_sent(self, rest: bytes) -> None:
        """Wait until `rest` is written. Raises OSError."""
        sent = self._connection.make_event()
        self._write_later(rest, sent)
        # Not idle until this task runs again: it may have more to send, in front of anything else.
        self._sending_tasks += 1
        try:
            self.intake.look()
            while not (self.websocket_closed or sent.wait(self.timeout)):
                if self.timeout is not None and not self.intake.is_taking(self.timeout):
                    self._fail()
        finally:
            self._sending_tasks -= 1
        if self.websocket_closed:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    def _write_pending(self) -> None:
        """Write what is pending, as far as the kernel takes it. Called on the event loop."""
        while self._pending:
            pending = self._pending[0]
            taken = self._write(pending.rest)
            if self.websocket_closed:
                self._fail()
                return
            if taken < len(pending.rest):
                pending.rest = pending.rest[taken:]
                self._connection.when_writable(self._write_pending)
                return
            self._pending.popleft()
            if pending.sent is not None:
                pending.sent.set()
        self._notify_idle()

    def _fail(self) -> None:
        """Close the WebSocket, and discard what is pending. Tasks that wait in `send` get an OSError."""
        self.websocket_closed = True
        self._connection.when_writable(None)
        while self._pending:
            sent = self._pending.popleft().sent
            if sent is not None:
                sent.set()

    def _notify_idle(self) -> None:
        if self.on_idle is not None and self.idle:
            self.on_idle()
