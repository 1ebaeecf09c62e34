"""The connection of a request, for the application that answers it."""

import struct
import time
from contextlib import suppress
from typing import Any

import eventlet
from eventlet.green import socket

from asf.adapters.eventlet_runtime.tcp_progress import progress_of, unacknowledged
from asf.adapters.runtime import Progress
from asf.domain.errors import AsfError

RESET_SECONDS = 30.0
"""Longest time in which a client reads nothing of what was written before its connection is reset."""

RESET_LOOK_SECONDS = 0.05
"""Interval between looks whether it has taken everything."""

TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)
"""The option that reads the state of a connection; None on systems without it."""

TCP_ESTABLISHED, TCP_CLOSE = 1, 7
"""The state of a connection that neither side has closed, and of one that was reset (TCP_INFO, tcp(7))."""


class SocketControl:
    """The connection of a request: implements `ConnectionControl`."""

    __slots__ = ("_socket", "_was_reset", "is_followed", "is_reset", "rejection")

    def __init__(self, connection: Any, rejection: AsfError | None) -> None:
        self._socket = connection
        self.rejection = rejection
        self.is_reset = False
        """Whether closing the connection resets it."""
        self.is_followed = False
        """Whether another request has come over the connection since: its client has the response to this one."""
        self._was_reset = False

    @property
    def connection(self) -> object:
        """Identifies the connection."""
        return self._socket

    @property
    def was_reset(self) -> bool:
        """Whether the connection was reset after the request was answered, and not followed by another one."""
        self.note_end()  # The task that reads from it may not have had its turn since.
        return self._was_reset

    def abort(self) -> None:
        """End the connection at once, so that a task that writes to it gets an error; discard what was not sent."""
        with suppress(OSError):
            self._reset_at_close()
            self._socket.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Let the response end with a reset, so that a client does not mistake a part of it for all of it.

        Waits until the client's machine has what was written, has read nothing of it for `RESET_SECONDS`, or is gone.
        """
        fd = self._socket.fd
        with suppress(OSError):
            before, since = -1, time.monotonic()
            while (rest := unacknowledged(fd)) and time.monotonic() - since < RESET_SECONDS:
                if self.is_gone() or not progress_of(fd).answers:
                    break
                if rest != before:
                    before, since = rest, time.monotonic()
                eventlet.sleep(RESET_LOOK_SECONDS)
            self._reset_at_close()

    def _reset_at_close(self) -> None:
        """Let closing the socket reset the connection (SO_LINGER of 0 s, socket(7)). Raises OSError."""
        self.is_reset = True
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def is_gone(self) -> bool:
        """Return whether the client has closed the connection, or the connection is broken."""
        try:
            if TCP_INFO is None:
                return self._is_at_end()
            state: int = self._socket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 1)[0]
        except OSError:
            return True
        return state != TCP_ESTABLISHED

    def note_end(self) -> None:
        """Note how the connection has ended after the request was answered: eventlet reads a reset as its end."""
        if self.is_followed:
            return
        with suppress(OSError):
            state = None if TCP_INFO is None else self._socket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 1)[0]
            self._was_reset = state == TCP_CLOSE

    def progress(self) -> Progress:
        """Return how far the client's machine has taken what was written."""
        return progress_of(self._socket.fd)

    def limit_write(self, seconds: float) -> None:
        """Close the connection when the client's machine acknowledges nothing of this response for `seconds`."""
        self._socket.settimeout(seconds)

    def _is_at_end(self) -> bool:
        """Return whether the client has closed the connection and sent nothing before. Raises OSError if broken.

        For systems without TCP_INFO: after another request that arrived first, a closed connection goes unnoticed.
        """
        try:
            return not self._socket.fd.recv(1, socket.MSG_PEEK)  # The system's socket, which never waits.
        except BlockingIOError:
            return False
