"""The listening sockets: their options, the limit of open files, and accepting when resources run out."""

import errno
import logging
import resource
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import eventlet
from eventlet.green import socket

from asf.adapters.address_binding import bind
from asf.adapters.eventlet_runtime.tcp_progress import PatientSocket
from asf.adapters.listening_options import KEEPALIVE_IDLE_SECONDS, LISTEN_BACKLOG, set_options
from asf.adapters.log_throttle import LogThrottle

ERROR_LOG_SECONDS = 10.0
"""Shortest time between two log lines about connections that were not accepted."""

ACCEPT_RETRY_SECONDS = 0.1
"""Pause after an accept has failed for lack of file descriptors or memory."""

FILE_LIMITS = (1_048_576, 65_536, 10_240)
"""Limits of open files to try where the hard limit cannot be set: Linux's default maximum, what the image sets, and
OPEN_MAX of macOS."""

ACCEPT_AGAIN = {
    errno.ECONNABORTED,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENOMEM,
    errno.EPROTO,
    errno.EPERM,
}
"""Errors of an accept that do not concern the listening socket itself (accept(2))."""

logger = logging.getLogger(__name__)


class EventletListeningSocket:
    """A listening socket that keeps accepting when file descriptors or memory run out.

    `has_headroom` returns whether another connection from an address is accepted at all; if not, it is closed at
    once. `keeps` returns whether this process is to serve a connection; if not, another one has it. `on_failure` is
    called with the error of an accept that cannot succeed again. The server's WSGI library uses this as a socket, of
    which it needs `family`, `getsockname`, `accept` and `close`.
    """

    def __init__(self, listening: Any) -> None:
        self._socket = listening
        self._throttle = LogThrottle(ERROR_LOG_SECONDS)
        self.family = listening.family
        self.getsockname = listening.getsockname
        self.close = listening.close
        self.has_headroom: Callable[[str], bool] = lambda _address: True
        self.keeps: Callable[[Any], bool] = lambda _connection: True
        self.on_failure: Callable[[OSError], object] = lambda _error: None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self.getsockname()[:2]
        return host, port

    def fileno(self) -> int:
        """Return the descriptor; -1 once it is closed."""
        descriptor: int = self._socket.fileno()
        return descriptor

    def accept(self) -> Any:
        """Return the next connection that there is headroom for, and its address."""
        while True:
            try:
                connection, address = self._socket.accept()
            except OSError as error:
                if error.errno not in ACCEPT_AGAIN:
                    self.on_failure(error)
                    raise
                self._log_error("Cannot accept connections: %s", error.strerror)
                eventlet.sleep(ACCEPT_RETRY_SECONDS)
                continue
            if self.has_headroom(address[0]):
                if self.keeps(connection):
                    return connection, address
                eventlet.sleep(0)
                continue
            connection.close()
            self._log_error("connection rejected address=%s reason=over_limit", address[0])
            eventlet.sleep(0)

    def _log_error(self, message: str, reason: str | None) -> None:
        """Log an error, but not every time: a client could fill the disk."""
        if self._throttle.permits():
            logger.error(message, reason)


def listen(host: str, port: int) -> list[EventletListeningSocket]:
    """Return a listening socket for each address of `host`. Addresses that this machine does not have are left out.

    Port 0 takes any free port, the same for all. Raises OSError when no address is available or the port is in use.
    """
    binding = bind(host, port, _create_socket)
    if binding.missing:
        logger.warning("ASF_HOST=%s: not listening on %s, which this machine lacks", host, ", ".join(binding.missing))
    for one in binding.sockets:
        one.listen(LISTEN_BACKLOG)
    return [EventletListeningSocket(one) for one in binding.sockets]


def adopt(descriptors: Sequence[int]) -> list[EventletListeningSocket]:
    """Return the sockets that another process has bound, and listens on."""
    return [EventletListeningSocket(PatientSocket(-1, fileno=descriptor)) for descriptor in descriptors]


def _create_socket(family: int) -> Any:
    created = PatientSocket(family, socket.SOCK_STREAM)
    set_options(created, KEEPALIVE_IDLE_SECONDS)
    return created


def raise_file_limit() -> int:
    """Raise the soft limit of open files as far as the system permits, and return it.

    Every connection is an open file. A hard limit may be unlimited, or higher than what the kernel permits: then the
    highest of `FILE_LIMITS` that is permitted is set.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lower = [limit for limit in FILE_LIMITS if limit > soft]
    for limit in (hard, *lower) if soft != resource.RLIM_INFINITY else ():
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            return limit
    return soft
