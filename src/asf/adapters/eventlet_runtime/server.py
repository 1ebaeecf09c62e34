"""The process: a listening socket, the WSGI server on it, the pump beside it, and signals to end it."""

import errno
import gc
import logging
import math
import resource
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import eventlet
import eventlet.wsgi
from eventlet.event import Event
from eventlet.green import os, socket

from asf.adapters.eventlet_runtime.http_protocol import IDLE_SECONDS, BoundedHttpProtocol, ConnectionPool
from asf.adapters.eventlet_runtime.raw_connection import take_connection
from asf.adapters.limits import ConnectionQuota
from asf.adapters.runtime import TAKE_CONNECTION
from asf.domain.streaming.pump import AudioPump

LISTEN_BACKLOG = 4096
"""Connections that may wait to be accepted; the kernel lowers it to net.core.somaxconn."""

UNSENT_BYTES = 65536
"""Bytes that the kernel keeps of a connection beyond what is on its way: about one batch. It bounds what a listener
that stops reading costs, and how long an event waits behind audio, and leaves what is on its way to the kernel's own
tuning (TCP_NOTSENT_LOWAT, tcp(7))."""

KEEPALIVE_IDLE_SECONDS = 60
"""Silence after which the kernel asks whether the peer is still there."""

TCP_ESTABLISHED = 1
"""The state of a connection that neither side has closed (TCP_INFO, tcp(7))."""

COLLECTOR_THRESHOLDS = (50_000, 20, 50)
"""Net allocations before a collection of the youngest objects, and how many collections before one of the older."""

COMPLAINT_SECONDS = 10.0
"""How often, at the most, it is logged that connections cannot be taken."""

ACCEPT_RETRY_SECONDS = 0.1
"""Pause after a connection could not be accepted, for want of file descriptors or memory."""

LONGEST_SLEEP_SECONDS = 3600.0
"""How long the pump sleeps at the most. What it waits for may be further ahead than epoll_wait(2) can wait."""

ACCEPT_AGAIN = {
    errno.ECONNABORTED,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENOMEM,
    errno.EPROTO,
    errno.EPERM,
}
"""What an accept may fail of without anything being wrong with the listening socket (accept(2))."""

DRAIN_LOOK_SECONDS = 0.05
"""How often it is looked whether all has been drained."""

FLUSH_SECONDS = 1.0
"""How long, at the end, clients may take to read what was said to them."""

INIT_PID = 1
"""Id of the first process of a container. The kernel drops signals that it has no handler for."""

SIGNAL_EXIT = 128
"""What the exit code of a process that a signal has ended begins at, as shells have it."""

logger = logging.getLogger(__name__)


class Drain(Protocol):
    """How the work that is under way comes to its end."""

    @property
    def seconds(self) -> float:
        """The longest time from `begin` to `end`."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether nothing is under way any more."""
        ...

    @property
    def has_sent_all(self) -> bool:
        """Whether nothing waits to be sent any more."""
        ...

    def begin(self) -> None:
        """Take on nothing new, and tell everybody concerned."""
        ...

    def end(self) -> None:
        """End what is left."""
        ...


class Listener:
    """A listening socket that goes on accepting when the machine runs short.

    `has_room_for` tells whether another connection from an address can be served at all; one that cannot is closed at
    once. `on_failure` is called with the error of an accept that will never succeed again.
    """

    def __init__(self, listening: Any) -> None:
        self._socket = listening
        self._complained_at = -math.inf
        self.family = listening.family
        self.getsockname = listening.getsockname
        self.close = listening.close
        self.has_room_for: Callable[[str], bool] = _always
        self.on_failure: Callable[[OSError], object] = _ignore

    def accept(self) -> Any:
        """Return the next connection that there is room for, and its address."""
        while True:
            try:
                connection, address = self._socket.accept()
            except OSError as error:
                if error.errno not in ACCEPT_AGAIN:
                    self.on_failure(error)
                    raise
                self._complain("A connection could not be accepted: %s", error.strerror)
                eventlet.sleep(ACCEPT_RETRY_SECONDS)
                continue
            if self.has_room_for(address[0]):
                return connection, address
            connection.close()
            self._complain("A connection from %s was closed at once: there are far too many", address[0])
            eventlet.sleep(0)

    def _complain(self, message: str, reason: str | None) -> None:
        """Log what went wrong, but not every time: a client could fill the disk."""
        now = time.monotonic()
        if now - self._complained_at >= COMPLAINT_SECONDS:
            self._complained_at = now
            logger.error(message, reason)


def listen(host: str, port: int) -> Listener:
    """Return a listening socket. Port 0 takes any free port. Raises OSError when the address cannot be had."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit the options. With Nagle's algorithm every first chunk waits for a delayed ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    # A connection whose peer has vanished without a word ends some minutes later.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS)
    listening.bind(address)
    listening.listen(LISTEN_BACKLOG)
    return Listener(listening)


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one, and return it. Every connection is an open file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def serve(
    listener: Listener,
    application: Callable[..., Iterable[bytes]],
    pump: AudioPump,
    occupancy: ConnectionQuota,
    answer_seconds: float,
    may_hurry: Callable[[str], bool],
    drain: Drain,
    on_ready: Callable[[], object],
    background: Iterable[Callable[[], object]] = (),
) -> None:
    """Serve `application` on `listener` and drive `pump`, until SIGTERM or SIGINT arrives; then drain, and return.

    `occupancy` says how many connections there may be, and counts them. `answer_seconds` is the longest time that a
    client may take no byte of an answer over HTTP. Requests of which `may_hurry` says so, by their path, may come as
    often as they like. `on_ready` is called when the signals are heeded. Each of `background` is run beside all that,
    in a green thread of its own. Raises OSError when no connection can be
    accepted any more.
    """
    _calm_collector()
    stop = Event()
    _call_on_signals([signal.SIGTERM, signal.SIGINT], stop.send)
    on_ready()
    listener.on_failure = stop.send_exception
    listener.has_room_for = occupancy.has_rejection_headroom
    eventlet.spawn(_drive, pump)
    for work in background:
        eventlet.spawn(work)
    eventlet.spawn(
        eventlet.wsgi.server,
        listener,
        _with_bounds(_log_failures(application), answer_seconds),
        log=_wsgi_logger(),
        log_output=False,
        debug=False,
        protocol=partial(BoundedHttpProtocol, may_hurry=may_hurry),
        custom_pool=ConnectionPool(occupancy),
        keepalive=IDLE_SECONDS,
        environ={"wsgi.input_terminated": True},
    )
    stop.wait()
    drain.begin()
    _wait_for(lambda: drain.is_done, drain.seconds)
    drain.end()
    _wait_for(lambda: drain.has_sent_all, FLUSH_SECONDS)
    listener.close()


def _wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until the condition holds, and no longer than so many seconds."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        eventlet.sleep(DRAIN_LOOK_SECONDS)


def _calm_collector() -> None:
    """Let Python's cyclic collector leave alone what is there for good, and look at the rest less often.

    With thousands of connections it would spend a good part of the time on objects that are all still in use.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def _log_failures(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    def logged(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        try:
            return application(environ, start_response)
        except (ConnectionError, TimeoutError):  # The client is gone.
            raise
        except Exception:
            logger.exception("%s %s failed", environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
            raise

    return logged


def _with_bounds(
    application: Callable[..., Iterable[bytes]], answer_seconds: float
) -> Callable[..., Iterable[bytes]]:
    """Bound how long a client may read nothing, and let the application break the connection off.

    `environ["asf.abort"]`, a function without arguments, does that, so that what was sent of an answer is not taken
    for all of it; `environ["asf.is_gone"]` tells whether the client has closed the connection. A WebSocket has its
    own bounds, from its handshake on.
    """

    def bounded(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        connection = environ["eventlet.input"].get_socket()

        def abort() -> None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

        def is_gone() -> bool:
            # Reading ahead would not tell: there may be another request in between.
            try:
                state: int = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
            except OSError:
                return True
            return state != TCP_ESTABLISHED

        environ["asf.abort"] = abort
        environ["asf.is_gone"] = is_gone
        environ[TAKE_CONNECTION] = partial(take_connection, environ["eventlet.input"], environ["eventlet.set_idle"])
        connection.settimeout(answer_seconds)
        return application(environ, start_response)

    return bounded


def _wsgi_logger() -> logging.Logger:
    """Return a logger for the library's server, which would tell of each client that goes away early."""
    wsgi_logger = logging.getLogger(f"{__name__}.wsgi")
    wsgi_logger.setLevel(logging.WARNING)
    return wsgi_logger


def _drive(pump: AudioPump) -> None:
    """Turn the pump for ever, and sleep while it has nothing to do."""
    alarm = _Alarm()
    pump.on_due.connect(alarm.ring)
    while True:
        try:
            delay = pump.turn()
        except Exception:
            logger.exception("A turn of the pump failed")
            delay = 0.0
        if delay == 0.0:
            eventlet.sleep(0)
        else:
            alarm.sleep(None if delay is None else min(delay, LONGEST_SLEEP_SECONDS))


class _Alarm:
    """A sleep that can be cut short."""

    def __init__(self) -> None:
        self._event = Event()

    def sleep(self, seconds: float | None) -> None:
        """Sleep for so many seconds (None: without end), or until `ring`."""
        with eventlet.Timeout(seconds, exception=False):
            self._event.wait()
        self._event = Event()

    def ring(self) -> None:
        """End the sleep, the current one or the next."""
        if not self._event.ready():
            self._event.send()


def _call_on_signals(signals: Iterable[signal.Signals], callback: Callable[[], object]) -> None:
    """Call `callback` in a green thread at the first of `signals`; a second one ends the process as usual.

    A signal does not wake the event loop by itself, but a byte in a pipe that the loop watches does.
    """
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    as_usual = _end_at_once if os.getpid() == INIT_PID else signal.SIG_DFL

    def on_signal(_number: int, _frame: object) -> None:
        for handled in signals:
            signal.signal(handled, as_usual)

    def wait_for_signal() -> None:
        number = os.read(reader, 1)[0]
        logger.info("%s received, stopping", signal.Signals(number).name)
        callback()

    for number in signals:
        signal.signal(number, on_signal)
    signal.set_wakeup_fd(writer)
    eventlet.spawn(wait_for_signal)


def _end_at_once(number: int, _frame: object) -> None:
    os._exit(SIGNAL_EXIT + number)  # noqa: SLF001 - as documented, without a word


def _ignore(_error: OSError) -> None:
    pass


def _always(_address: str) -> bool:
    return True
