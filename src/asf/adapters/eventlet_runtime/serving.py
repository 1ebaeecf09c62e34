"""The server process: a WSGI server, the pump and background work beside it, until a signal stops them."""

import logging
import signal
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import eventlet
import eventlet.wsgi
from eventlet.event import Event

from asf.adapters.eventlet_runtime.collector import Collector
from asf.adapters.eventlet_runtime.connection_pool import ConnectionPool
from asf.adapters.eventlet_runtime.hand_over import HandOver
from asf.adapters.eventlet_runtime.http_protocol import BoundedHttpProtocol
from asf.adapters.eventlet_runtime.inbox import Inbox
from asf.adapters.eventlet_runtime.listening import EventletListeningSocket
from asf.adapters.eventlet_runtime.loop_watchdog import watched_loop
from asf.adapters.eventlet_runtime.os_signals import call_on_signals
from asf.adapters.eventlet_runtime.precedence import PRECEDENCE
from asf.adapters.eventlet_runtime.pump_driver import drive
from asf.adapters.eventlet_runtime.raw_connection import take_connection
from asf.adapters.eventlet_runtime.uncaught import logged_exceptions
from asf.adapters.log_throttle import LogThrottle
from asf.adapters.runtime import TAKE_CONNECTION
from asf.adapters.serving import Application, Service

FAILURE_LOG_SECONDS = 1.0
"""Shortest time between two log lines about requests that failed."""

logger = logging.getLogger(__name__)


def serve(
    listeners: Sequence[EventletListeningSocket],
    service: Service,
    on_ready: Callable[[], object],
    hand_over: HandOver | None = None,
    inbox: Inbox | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT arrives, shut down, and return.

    One of several workers has a `hand_over` and an `inbox`. Calls `on_ready` when the signals are handled. Raises
    OSError when connections can no longer be accepted.
    """
    collector = Collector(service.connections.__len__)
    collector.start()
    stop = Event()
    call_on_signals([signal.SIGTERM, signal.SIGINT], stop.send)
    on_ready()
    eventlet.spawn(drive, service.pump)
    eventlet.spawn(collector.watch, eventlet.sleep)
    for work in service.background:
        eventlet.spawn(work)
    protocol = partial(
        BoundedHttpProtocol, timeouts=service.timeouts, is_unthrottled=service.is_unthrottled, hand_over=hand_over
    )
    pool = ConnectionPool(service.connections)
    for listener in listeners:
        listener.on_failure = stop.send_exception
        listener.has_headroom = service.connections.has_rejection_headroom
        if hand_over is not None:
            listener.keeps = hand_over.keeps
        PRECEDENCE.add(listener.fileno())
        _spawn_http_server(listener, service, pool, protocol)
    if inbox is not None:
        PRECEDENCE.add(inbox.fileno())
        _spawn_http_server(inbox, service, pool, protocol)
    with logged_exceptions(), watched_loop(service.on_slow_turn):
        stop.wait()
        if hand_over is not None:
            hand_over.drain()
        service.shut_down(eventlet.sleep)
        if hand_over is not None:
            hand_over.wait_for_rest(service.connections)
    for listener in listeners:
        PRECEDENCE.discard(listener.fileno())
        listener.close()


def _spawn_http_server(
    listener: EventletListeningSocket | Inbox,
    service: Service,
    pool: ConnectionPool,
    protocol: Callable[..., BoundedHttpProtocol],
) -> None:
    eventlet.spawn(
        eventlet.wsgi.server,
        listener,
        _with_write_timeout(_log_failures(service.application), service.timeouts.write),
        log=_wsgi_logger(),
        log_output=False,
        debug=False,
        protocol=protocol,
        custom_pool=pool,
        keepalive=service.timeouts.idle,
        environ={"wsgi.input_terminated": True},
    )


def _log_failures(application: Application) -> Application:
    throttle = LogThrottle(FAILURE_LOG_SECONDS)

    def logged(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        try:
            return application(environ, start_response)
        except (ConnectionError, TimeoutError):  # The client has disconnected.
            raise
        except Exception:
            if throttle.permits():
                logger.exception("%s %s failed", environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
            raise

    return logged


def _with_write_timeout(application: Application, seconds: float) -> Application:
    """Bound how long a client may read nothing of a response. A WebSocket sets its own timeouts at its handshake."""

    def bounded(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        environ[TAKE_CONNECTION] = partial(take_connection, environ["eventlet.input"], environ["eventlet.set_idle"])
        environ["eventlet.input"].get_socket().settimeout(seconds)
        return application(environ, start_response)

    return bounded


def _wsgi_logger() -> logging.Logger:
    """Return a logger for the WSGI library that omits its lines about each client that disconnects early."""
    wsgi_logger = logging.getLogger(f"{__name__}.wsgi")
    wsgi_logger.setLevel(logging.WARNING)
    return wsgi_logger
