"""A connection that is handed over, as a message to an inbox and as a socket."""

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from asf.adapters.eventlet_runtime.tcp_progress import PatientSocket

QUESTION = b"?"
"""The message that asks a worker for its metrics. It comes without a connection."""

MAX_MESSAGE_BYTES = 64 * 1024
"""More than a request line and the read buffer of a connection."""

_HEADER = struct.Struct("=?d")
"""Whether the connection is within its limits, and the schedule of its rate limit."""


class ConnectionState(NamedTuple):
    """What the server knows of a connection. `scheduled` is that of the rate limit of its requests."""

    is_within_limits: bool
    scheduled: float


class HandedOverSocket(PatientSocket):
    """A connection that another worker has accepted. `early` is what was read from it, and is received first."""

    early = b""
    state: ConnectionState | None = None
    """None for a connection that no worker has served yet."""
    arrived = False
    """Whether its first request here has yet to come."""

    @classmethod
    def of(cls, message: bytes, descriptor: int) -> Self:
        """Return the connection that has arrived with a message."""
        connection = cls(-1, fileno=descriptor)
        header, connection.early = message[1 : 1 + message[0]], message[1 + message[0] :]
        connection.state = ConnectionState(*_HEADER.unpack(header)) if header else None
        connection.arrived = True
        return connection

    def recv(self, bufsize: int, flags: int = 0) -> Any:
        """Receive at most `bufsize` bytes."""
        if not self.early:
            return super().recv(bufsize, flags)
        taken, self.early = self.early[:bufsize], self.early[bufsize:]
        return taken

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive into a buffer, and return how many bytes."""
        if not self.early:
            received: int = super().recv_into(buffer, nbytes, flags)
            return received
        view = memoryview(buffer).cast("B")
        taken = self.recv(nbytes or len(view))
        view[: len(taken)] = taken
        return len(taken)


def message_of(state: ConnectionState | None, early: bytes) -> Sequence[bytes]:
    """Return the parts of the message that a connection comes with. `early` is what was read from it."""
    header = b"" if state is None else _HEADER.pack(*state)
    return [bytes([len(header)]), header, early]
