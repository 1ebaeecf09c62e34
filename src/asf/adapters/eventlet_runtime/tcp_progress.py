"""How far a peer's machine has taken what was sent to it, from the kernel."""

import array
import fcntl
import struct
import sys
import termios
from typing import Any

from eventlet.green import socket

from asf.adapters.runtime import Progress

TCP_INFO: int | None = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
"""The option that reads the state of a connection; None where it does not exist, or has other fields."""

SO_NWRITE: int | None = 0x1024 if sys.platform == "darwin" else None
"""The option that reads how many bytes the peer has not acknowledged (macOS, sys/socket.h)."""

ANSWER_MILLISECONDS = 5000
UNANSWERED = 2
"""Within this time, or before the kernel has asked so often in vain, a machine that is there acknowledges, if only to
say that it has no room (RFC 9293, 3.8.6.1). The last question may still be under way."""

_INFO = struct.Struct("=2xBB20xI28xI60xQ16xI")
"""`tcpi_retransmits` and `tcpi_probes` (of data, and of the peer's room, since its last answer), `tcpi_unacked`
(packets), `tcpi_last_ack_recv` (milliseconds ago), `tcpi_bytes_acked` and `tcpi_notsent_bytes` in Linux's
`struct tcp_info` (linux/tcp.h)."""


def progress_of(system_socket: Any, written: int = 0) -> Progress:
    """Return how far the peer of a socket, the system's one, has taken what was sent. Does not raise.

    `written` is how many bytes were written, or 0 while nothing is written. Where the kernel does not count what is
    acknowledged, it is what was written without what the kernel holds; where it does not tell that either, all of it.
    """
    try:
        if TCP_INFO is not None:
            info = system_socket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, _INFO.size)
            if len(info) == _INFO.size:
                retransmits, probes, under_way, answered, acknowledged, not_sent = _INFO.unpack(info)
                is_silent = max(retransmits, probes) >= UNANSWERED and answered > ANSWER_MILLISECONDS
                return Progress(acknowledged, answers=not is_silent, has_all=not (under_way or not_sent))
    except OSError:
        pass  # Not a TCP connection, or no longer one.
    try:
        held = unacknowledged(system_socket)
        return Progress(written - held, answers=True, has_all=not held)
    except (OSError, ValueError):  # ValueError: it is closed.
        return Progress(written, answers=True)


def unacknowledged(system_socket: Any) -> int:
    """Return how many bytes the kernel holds for the peer. Raises OSError."""
    if SO_NWRITE is not None:
        return int(system_socket.getsockopt(socket.SOL_SOCKET, SO_NWRITE))
    count = array.array("i", [0])
    fcntl.ioctl(system_socket.fileno(), termios.TIOCOUTQ, count)
    return count[0]


class PatientSocket(socket.socket):
    """A socket whose `send` times out only when the peer acknowledges nothing for the time of `settimeout`.

    That of the library also times out while a peer reads too slowly to make room for what is sent. Sockets that it
    accepts are of this class, too. After a timeout it no longer waits: the library sends what is left once more.
    """

    def send(self, data: Any, flags: int = 0) -> int:
        """Send what the kernel takes, as soon as it takes any. Raises TimeoutError, OSError."""
        sent: int
        try:
            sent = self.fd.send(data, flags)
        except BlockingIOError:
            if self.gettimeout() == 0:
                raise
        else:
            return sent
        acknowledged = progress_of(self.fd).acknowledged
        while True:
            try:
                sent = super().send(data, flags)
            except TimeoutError:
                before, acknowledged = acknowledged, progress_of(self.fd).acknowledged
                if acknowledged == before:
                    self.settimeout(0)
                    raise
            else:
                return sent
