"""The inbox of a worker: a Unix socket of type SEQPACKET, from which it accepts connections of other workers."""

import errno
import posix
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import eventlet
from eventlet import hubs, patcher

from asf.adapters.eventlet_runtime.hand_over import HandOver
from asf.adapters.eventlet_runtime.handed_over import MAX_MESSAGE_BYTES, QUESTION, HandedOverSocket
from asf.adapters.workers.seat import Seat
from asf.adapters.workers.table import Row

EXHAUSTED_SECONDS = 0.1
"""Pause of an inbox while the process can open no further file: what arrives stays there."""

_socket = patcher.original("socket")


class Inbox:
    """The connections that other workers hand over: for the WSGI library, a listening socket that accepts them.

    `arriving` is the receiving end of this worker's inbox; `listening` is a listening socket whose name and family
    these connections have. A worker that can open no further file gives those back through `hand_over` that any may
    serve. It keeps a descriptor to spare for that, as the kernel drops a connection if there is none (unix(7)).
    """

    def __init__(self, seat: Seat, hand_over: HandOver, arriving: Any, listening: Any) -> None:
        self._seat = seat
        self._hand_over = hand_over
        self._arriving = arriving
        self.family = listening.family
        self.getsockname = listening.getsockname
        self._spare: int | None = None
        self.on_asked: Callable[[], object] = lambda: None
        """Called when another worker asks for the metrics of this one. Must not wait."""

    def accept(self) -> tuple[Any, Any]:
        """Return the next connection, and its address. Raises OSError when the inbox is closed."""
        while True:
            while not self._reserve():
                eventlet.sleep(EXHAUSTED_SECONDS)
            sent = self._seat.table.sent_to(self._seat.me.slot)
            try:
                message, descriptors = self._receive()
            except BlockingIOError:
                self._seat.table.set(Row.RECEIVED, self._seat.me.slot, sent)
                hubs.trampoline(self._arriving, read=True)
                continue
            if not message:
                raise OSError(errno.EPIPE, "The inbox is closed")
            if message == QUESTION:
                self.on_asked()
            for descriptor in descriptors:
                self._seat.table.count(Row.RECEIVED, self._seat.me.slot)
                connection = HandedOverSocket.of(message, descriptor)
                with suppress(OSError):  # It has been reset.
                    address = connection.getpeername()
                    if self._reserve() or not self._hand_over.gives_back(connection, message):
                        return connection, address
                connection.close()

    def fileno(self) -> int:
        """Return the descriptor of the inbox; -1 once it is closed."""
        descriptor: int = self._arriving.fileno()
        return descriptor

    def close(self) -> None:
        """Take no further connections."""
        self._arriving.close()

    def _reserve(self) -> bool:
        """Return whether there is a descriptor to spare, and let the other workers know."""
        if self._spare is None:
            with suppress(OSError):
                self._spare = posix.dup(self._arriving.fileno())
            self._seat.note_exhausted(is_exhausted=self._spare is None)
        return self._spare is not None

    def _receive(self) -> tuple[bytes, list[int]]:
        """Return the next message, and its descriptors. Raises BlockingIOError."""
        # Looked at first: the spare descriptor is given up only if something is there.
        self._arriving.recv(1, _socket.MSG_PEEK)
        if self._spare is not None:
            posix.close(self._spare)
            self._spare = None
        message, descriptors, _, _ = _socket.recv_fds(self._arriving, MAX_MESSAGE_BYTES, 1)
        return message, descriptors


def end_of(descriptor: int) -> Any:
    """Return one end of an inbox, which does not block."""
    end = _socket.socket(fileno=descriptor)
    end.settimeout(0)  # `send_fds` and `recv_fds` ignore their flags.
    return end
