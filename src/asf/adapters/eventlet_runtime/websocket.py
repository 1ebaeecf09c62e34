"""A WebSocket that audio can be written to without waiting, beside the library's own way of sending."""

import errno
from collections.abc import Callable
from typing import Any

from eventlet import hubs
from eventlet.websocket import RFC6455WebSocket, WebSocketWSGI

WOULD_BLOCK = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS}


class DirectWebSocket(RFC6455WebSocket):
    """Adds `write` to the library's WebSocket: send what the kernel takes now, keep the rest of a message.

    While a message is half-sent, this holds the library's send lock: pings and events wait for the rest, so that
    frames stay whole. `on_idle` is called whenever something was sent and the lock is free again.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_idle: Callable[[], None] | None = None
        self._rest = b""
        self._writable_listener: Any = None

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

    def finish(self, rest: bytes) -> None:
        """Send `rest`, what is missing of a half-sent message, as soon as the kernel takes it; then be idle."""
        if self.websocket_closed:
            return
        self._sendlock.acquire(blocking=False)
        self._rest = rest
        self._writable_listener = hubs.get_hub().add(
            hubs.get_hub().WRITE, self.socket.fileno(), self._on_writable, self._on_obsolete, None
        )

    def abort(self) -> None:
        """Forget the rest of a half-sent message. The connection is of no more use then."""
        if self._writable_listener is not None:
            self._rest = b""
            self._let_go()

    def wait(self) -> Any:
        """Return the next message, or None at the end of the connection, which also ends a half-sent message."""
        message = None
        try:
            message = super().wait()
        finally:
            if message is None:
                self.abort()
        return message

    def _send(self, frame: bytes) -> None:
        super()._send(frame)
        self._tell_idle()

    def _on_writable(self, _fileno: int) -> None:
        if self._rest:
            self._rest = self._rest[self.write(memoryview(self._rest)) :]
        if not self._rest or self.websocket_closed:
            self._let_go()

    def _on_obsolete(self, *_error: object) -> None:
        self.abort()

    def _let_go(self) -> None:
        hubs.get_hub().remove(self._writable_listener)
        self._writable_listener = None
        self._sendlock.release()
        self._tell_idle()

    def _tell_idle(self) -> None:
        if self.on_idle is not None and self.idle:
            self.on_idle()


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
        return DirectWebSocket(
            plain.socket,
            environ,
            plain.version,
            protocol=plain.protocol,
            max_frame_length=self.max_frame_length,
        )
