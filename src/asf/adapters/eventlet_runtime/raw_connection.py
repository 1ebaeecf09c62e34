"""A TCP connection under eventlet, as defined by the runtime port (`asf.adapters.runtime`)."""

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import eventlet
from eventlet import hubs, wsgi
from eventlet.event import Event

from asf.adapters.eventlet_runtime.long_waits import LONG_SECONDS, LONG_WAITS
from asf.adapters.eventlet_runtime.tcp_progress import progress_of
from asf.adapters.eventlet_runtime.turns import FAREWELLS, TURNS
from asf.adapters.runtime import Progress

WOULD_BLOCK = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS}

RECEIVED_AT_ONCE = 16 * 1024
"""Maximum number of bytes that one call of `receive` returns."""


class EventletConnection:
    """Implements `RawConnection` over eventlet's `GreenSocket`.

    `early` are bytes that were read from the socket before; they are the first that `receive` returns.
    """

    checkpoint = staticmethod(TURNS.checkpoint)

    def __init__(self, green_socket: Any, early: bytes = b"") -> None:
        self._socket = green_socket
        # The socket itself, which does not block; `GreenSocket.send` would wait.
        self._send = green_socket.fd.send
        self._early = early
        self._written = 0
        self._timeout: float | None = None
        self._callback: Callable[[], object] | None = None
        self._listener: Any = None
        green_socket.settimeout(None)

    def write_now(self, data: bytes | memoryview) -> int:
        """Write what the kernel takes at once, and return how many bytes that was. Raises OSError."""
        try:
            written: int = self._send(data)
        except OSError as error:
            if error.errno not in WOULD_BLOCK:
                raise
            return 0
        self._written += written
        return written

    def when_writable(self, callback: Callable[[], object] | None) -> None:
        """Call `callback` once when the kernel takes bytes again, or the connection has failed. None cancels."""
        self._callback = callback
        if callback is None:
            self._stop_listening()
        elif self._listener is None:
            hub = hubs.get_hub()
            self._listener = hub.add(hub.WRITE, self._socket.fileno(), self._on_writable, self._on_writable, None)

    def progress(self) -> Progress:
        """Return how far the peer's machine has taken what was written."""
        return progress_of(self._socket.fd, self._written)

    def receive(self, timeout: float | None) -> bytes:
        """Wait for bytes and return them; empty at the end. Raises TimeoutError, OSError."""
        if self._early:
            early, self._early = self._early, b""
            return early
        try:
            received = self._receive(timeout)
        except EOFError:  # another task has closed the socket
            received = b""
        except OSError:
            FAREWELLS.checkpoint()
            raise
        if not received:
            FAREWELLS.checkpoint()
        return received

    def _receive(self, timeout: float | None) -> bytes:
        is_long = timeout is not None and timeout >= LONG_SECONDS
        at_socket = None if is_long else timeout
        if at_socket != self._timeout:
            self._timeout = at_socket
            self._socket.settimeout(at_socket)
        if timeout is not None and is_long:
            return LONG_WAITS.during(timeout, self._socket.recv, RECEIVED_AT_ONCE)
        received: bytes = self._socket.recv(RECEIVED_AT_ONCE)
        return received

    def abort(self) -> None:
        """Shut the connection down in both directions."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def make_event(self) -> "GreenEvent":
        """Return an event that green threads can wait for."""
        return GreenEvent()

    def pause(self, seconds: float) -> None:
        """Suspend the calling green thread."""
        eventlet.sleep(seconds)

    def _on_writable(self, _fileno_or_error: object) -> None:
        """Make the pending call. The hub calls this repeatedly until nothing is pending."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()
        if self._callback is None:
            self._stop_listening()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            hubs.get_hub().remove(self._listener)
            self._listener = None


class GreenEvent:
    """Implements `Event` for green threads."""

    def __init__(self) -> None:
        self._event = Event()

    def set(self) -> None:
        """Wake all waiting green threads."""
        if not self._event.ready():
            self._event.send()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for `set`, at most `timeout` seconds. Returns whether it was called."""
        self._event.wait(timeout)
        return bool(self._event.ready())


def take_connection(request_input: Any, set_idle: Callable[[], object]) -> EventletConnection:
    """Return the connection of the request that is being served, and make the WSGI server leave it alone.

    `request_input` is the request's `eventlet.input`, `set_idle` its `eventlet.set_idle`: when the server stops, it
    does not wait for connections that are idle.
    """
    green_socket = request_input.get_socket()
    green_socket.settimeout(0)
    early = request_input.rfile.buffered()
    request_input.rfile.close()  # Its buffer would stay for as long as the connection.
    set_idle()
    # The server neither adds a response nor serves another request on the connection.
    wsgi.WSGI_LOCAL.already_handled = True
    return EventletConnection(green_socket, early)
