"""A WebSocket that audio can be written to without waiting, beside the library's own way of sending."""

import errno
import math
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import eventlet
from eventlet import hubs
from eventlet.websocket import FailedConnectionError, RFC6455WebSocket, WebSocketWSGI

from asf.adapters.eventlet_runtime.wire import ChunkFraming
from asf.adapters.limits import RateLimit
from asf.domain.streaming.audio import AudioBatch

WOULD_BLOCK = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS}
INVALID_PAYLOAD = 1007
MESSAGE_TOO_BIG = 1009
"""Close codes (RFC 6455, section 7.4.1)."""

MAX_FRAGMENTS = 64
"""Frames that one message from a client may come in. Clients of this service have no reason to use more than one."""


FRAMES_PER_SECOND = 2_000.0
FRAMES_AT_ONCE = 5_000
"""How fast one client's frames are read. More wait in its own connection, where TCP slows it down: nothing is lost.

A listener that acknowledges every chunk at the default pace sends a hundred."""

THROTTLED_NOTICE_SECONDS = 10.0
"""How often, at the most, a client is told that it sends too fast."""


class _Utf8Message(RFC6455WebSocket.Message):
    """A message whose text must be UTF-8."""

    def getvalue(self) -> Any:
        """Return the text or the bytes."""
        try:
            return super().getvalue()
        except UnicodeDecodeError as error:
            raise FailedConnectionError(INVALID_PAYLOAD, "Text must be UTF-8.") from error


class DirectWebSocket(RFC6455WebSocket):
    """Adds `write` to the library's WebSocket: send what the kernel takes now, keep the rest of a message.

    While a message is half-sent, this holds the library's send lock: pings and events wait for the rest, so that
    frames stay whole. `on_idle` is called whenever something was sent and the lock is free again, `on_throttled` when
    frames come faster than they are read.
    """

    Message = _Utf8Message

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_idle: Callable[[], None] | None = None
        self.patience: Callable[[], float | None] = _without_bound
        self.on_throttled: Callable[[], None] | None = None
        self.received_frames = 0
        self._frame_rate = RateLimit(FRAMES_PER_SECOND, FRAMES_AT_ONCE)
        self._throttled_at = -math.inf
        self._rest = b""
        self._writable_listener: Any = None
        self._received_ahead: list[Any] = []
        self._fragments = 0

    @property
    def idle(self) -> bool:
        """Whether nobody is sending or waiting to send."""
        return bool(self._sendlock.balance > 0 and not self.websocket_closed)

    def write(self, frames: memoryview) -> int:
        """Send as much of `frames` as the kernel takes now, and return how much that was.

        Only to be called while `idle`. When not all was taken, `finish` must be called next. A broken connection
        takes nothing; whoever is receiving from it learns of the break.
        """
        try:
            sent: int = self.socket.fd.send(frames)
        except OSError as error:
            if error.errno not in WOULD_BLOCK:
                self.websocket_closed = True
            return 0
        return sent

    def write_whole(self, frames: bytes) -> None:
        """Send `frames`, at once or as soon as the kernel takes them. Only to be called while `idle`."""
        sent = self.write(memoryview(frames))
        if sent < len(frames):
            self.finish(frames[sent:])

    def write_chunks(self, framing: ChunkFraming, batch: AudioBatch, start: int, stop: int) -> int:
        """Send the batch's bytes from `start` to `stop` (offsets in the audio), as far as the kernel takes them.

        Returns how many bytes of audio were taken. Of a message that is half-sent the rest is kept, and sent as soon
        as the kernel takes it. Only to be called while `idle`.
        """
        frames = framing.render(batch, start, stop)
        sent = self.write(frames)
        if sent == len(frames):
            return stop - start
        taken, missing = framing.split_sent(batch, start, stop, sent)
        self.finish(bytes(frames[sent : sent + missing]))
        return taken

    def finish(self, rest: bytes) -> None:
        """Send `rest`, what is missing of a half-sent message, as soon as the kernel takes it; then be idle."""
        if self.websocket_closed:
            return
        self._sendlock.acquire(blocking=False)
        self._rest = rest
        hub = hubs.get_hub()
        self._writable_listener = hub.add(
            hub.WRITE, self.socket.fileno(), self._on_writable, lambda *_error: self.abort(), None
        )

    def abort(self) -> None:
        """Give up a half-sent message, if there is one, and with it the connection: no frame can follow it.

        Whoever waits to send fails; closing the socket is left to whoever receives from it.
        """
        if self._writable_listener is not None:
            self._rest = b""
            self.websocket_closed = True
            self._let_go()

    def break_off(self) -> None:
        """End the connection at once, whatever is still to be sent; whoever receives from it learns that."""
        self.abort()
        self.websocket_closed = True
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def wait_ahead(self) -> bool:
        """Receive the next message and keep it for `wait`. Returns whether there was one."""
        message = self.wait()
        self._received_ahead = [] if message is None else [message]
        return message is not None

    def wait(self) -> Any:
        """Return the next message, or None at the end of the connection.

        `patience` tells how many seconds may pass before that counts as the end; None leaves the bound to the
        socket's own time-out. However the connection has broken, that is its end and no error.
        """
        if self._received_ahead:
            return self._received_ahead.pop()
        patience = self.patience()
        message = None
        try:
            if patience is None:
                message = super().wait()
            else:
                with eventlet.Timeout(patience, exception=False):
                    message = super().wait()
        except OSError:  # Gone without a word, among other ways: then the kernel gives up some day.
            return None
        finally:
            if message is None:
                self.abort()
        return message

    @staticmethod
    def _apply_mask(data: bytes, mask: tuple[int, ...], length: int | None = None, offset: int = 0) -> bytes:
        """Mask or unmask (RFC 6455, section 5.3): as one large number, where the library goes byte by byte."""
        size = len(data) if length is None else length
        shift = offset % len(mask)
        pattern = bytes(mask[shift:] + mask[:shift]) * (size // len(mask) + 1)
        masked = int.from_bytes(data[:size], "big") ^ int.from_bytes(pattern[:size], "big")
        return masked.to_bytes(size, "big")

    def _recv_frame(self, message: Any = None) -> Any:
        received = super()._recv_frame(message)
        self.received_frames += 1
        self._slow_down()
        if message is None:
            self._fragments = 1
        elif received is message:  # a further fragment
            self._fragments += 1
            if self._fragments > MAX_FRAGMENTS or sum(map(len, received.data)) > self.max_frame_length:
                raise FailedConnectionError(MESSAGE_TOO_BIG, "The message is too big.")
        return received

    def _slow_down(self) -> None:
        now = time.monotonic()
        delay = self._frame_rate.delay(now)
        if not delay:
            return
        if self.on_throttled is not None and now - self._throttled_at >= THROTTLED_NOTICE_SECONDS:
            self._throttled_at = now
            self.on_throttled()
        eventlet.sleep(delay)

    def _send(self, frame: bytes) -> None:
        self._sendlock.acquire()
        try:
            if self.websocket_closed:
                raise OSError(errno.EPIPE, "Broken pipe")
            self.socket.sendall(frame)
        finally:
            self._sendlock.release()
        self._tell_idle()

    def _send_closing_frame(self, ignore_send_errors: bool = False, close_data: Any = None) -> None:  # noqa: FBT001, FBT002
        # A close frame would wait for the rest of a half-sent message, for ever where the client reads no more.
        self.abort()
        super()._send_closing_frame(ignore_send_errors, close_data)

    def _on_writable(self, _fileno: int) -> None:
        if self._writable_listener is None:  # The connection ended in the same turn of the event loop.
            return
        if self._rest:
            self._rest = self._rest[self.write(memoryview(self._rest)) :]
        if not self._rest or self.websocket_closed:
            self._let_go()

    def _let_go(self) -> None:
        hubs.get_hub().remove(self._writable_listener)
        self._writable_listener = None
        self._sendlock.release()
        self._tell_idle()

    def _tell_idle(self) -> None:
        if self.on_idle is not None and self.idle:
            self.on_idle()


def _without_bound() -> None:
    return None


class WebSocketUpgrade(WebSocketWSGI):
    """Answers a WebSocket handshake with a `DirectWebSocket`.

    permessage-deflate is declined: audio does not compress, and a context costs some 300 KB a connection.
    """

    def __init__(self, handler: Callable[[DirectWebSocket], Any], max_message_bytes: int) -> None:
        super().__init__(handler, max_frame_length=max_message_bytes)
        self.support_legacy_versions = False

    def _negotiate_permessage_deflate(self, _extensions: object) -> None:
        return None

    def _handle_hybi_request(self, environ: dict[str, Any]) -> DirectWebSocket:
        plain = super()._handle_hybi_request(environ)
        plain.socket.settimeout(None)  # That of a request ends here.
        return DirectWebSocket(
            plain.socket, environ, plain.version, protocol=plain.protocol, max_frame_length=self.max_frame_length
        )
