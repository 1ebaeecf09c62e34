"""The process: a listening socket, the WSGI server on it, the pump beside it, and signals to end it."""

import logging
import signal
import socket as sockets
from collections.abc import Callable, Iterable
from typing import Any

import eventlet
import eventlet.wsgi
from eventlet.event import Event
from eventlet.green import os

from asf.domain.pump import AudioPump

LISTEN_BACKLOG = 4096
"""Connections that may wait to be accepted; the kernel lowers it to net.core.somaxconn."""

logger = logging.getLogger(__name__)


def listen(host: str, port: int) -> Any:
    """Return a listening socket. Port 0 takes any free port. Raises OSError when the address cannot be had."""
    family, _, _, _, address = sockets.getaddrinfo(host, port, type=sockets.SOCK_STREAM)[0]
    # Accepted connections inherit the option. With Nagle's algorithm every first chunk waits for a delayed ACK.
    listener = eventlet.listen(address, family, backlog=LISTEN_BACKLOG, reuse_port=False)
    listener.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
    return listener


def serve(listener: Any, application: Callable[..., Iterable[bytes]], pump: AudioPump, max_connections: int) -> None:
    """Serve `application` on `listener` and drive `pump`, until SIGTERM or SIGINT arrives; then return at once."""
    stop = Event()
    _call_on_signals([signal.SIGTERM, signal.SIGINT], stop.send)
    eventlet.spawn(_drive, pump)
    eventlet.spawn(
        eventlet.wsgi.server,
        listener,
        application,
        log_output=False,
        debug=False,
        max_size=max_connections,
        environ={"wsgi.input_terminated": True},
    )
    stop.wait()
    listener.close()


def _drive(pump: AudioPump) -> None:
    """Turn the pump for ever, and sleep while it has nothing to do."""
    alarm = _Alarm()
    pump.on_due = alarm.ring
    while True:
        try:
            delay = pump.turn()
        except Exception:
            logger.exception("A turn of the pump failed")
            delay = 0.0
        if delay == 0.0:
            eventlet.sleep(0)
        else:
            alarm.sleep(delay)


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

    def on_signal(_number: int, _frame: object) -> None:
        for handled in signals:
            signal.signal(handled, signal.SIG_DFL)

    def wait_for_signal() -> None:
        number = os.read(reader, 1)[0]
        logger.info("%s received, stopping", signal.Signals(number).name)
        callback()

    for number in signals:
        signal.signal(number, on_signal)
    signal.set_wakeup_fd(writer)
    eventlet.spawn(wait_for_signal)
