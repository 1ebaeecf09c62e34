"""Engine.IO's pings, by one timer for all connections, and measured by a monotonic clock.

Plain WebSockets are pinged by `asf.adapters.websocket.pings`.
"""

import time
from collections.abc import Callable
from typing import Any

import engineio
from engineio.packet import PING, Packet
from engineio.socket import Socket

from asf.adapters.delays import FixedDelay
from asf.adapters.engineio.transport import EngineIoTransport
from asf.adapters.runtime import Runtime


class MonotonicTime:
    """Replaces the module `time` where python-engineio measures how long a pong takes.

    With the wall clock, a jump forward would end connections that wait for a pong, and a jump back would keep those
    of vanished clients for hours.
    """

    time = staticmethod(time.monotonic)


SLOW_PING_TIMEOUTS = 1.5
"""Ping timeouts in which a client that is behind with its reading may read nothing."""


def install_pings(
    server: Any, runtime: Runtime, find_transport: Callable[[str | None], EngineIoTransport | None]
) -> None:
    """Let one timer send the pings of all connections of an Engine.IO server. The library has a task for each.

    The library ends a connection whose pong is overdue. A client that reads slowly reads a ping late. While it takes
    what was sent before, it is sent further pings: the timeout starts again, here and at the clients that expect a
    ping now and then, and the library's writer, which gives up when there is nothing to send for long, has something.
    """
    engineio.socket.time = engineio.base_socket.time = MonotonicTime

    def ping_next(connection: Any) -> None:
        transport = find_transport(connection.sid)
        if transport is not None:
            transport.note_ping()
            overdue.add(connection)
        ping(connection)

    def extend(connection: Any) -> None:
        transport = find_transport(connection.sid)
        if transport is None or connection.last_ping is None:
            return
        if transport.is_behind(SLOW_PING_TIMEOUTS * server.ping_timeout):
            transport.note_ping()
            ping(connection)
            overdue.add(connection)

    delay: FixedDelay[Any] = FixedDelay(runtime, server.ping_interval, ping_next)
    overdue: FixedDelay[Any] = FixedDelay(runtime, server.ping_timeout / 2, extend)
    start_background_task = server.start_background_task

    def start_task(target: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
        if getattr(target, "__func__", None) is Socket._send_ping:  # noqa: SLF001
            return delay.add(target.__self__)  # type: ignore[attr-defined]
        return start_background_task(target, *args, **kwargs)

    server.start_background_task = start_task


def ping(connection: Any) -> None:
    """Send a ping on a connection, python-engineio's object, unless it is closed."""
    if not connection.closing and not connection.closed:
        connection.last_ping = MonotonicTime.time()
        connection.send(Packet(PING))
