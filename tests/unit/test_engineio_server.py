"""What is made to measure in Engine.IO's server."""

import time
from typing import Any

import eventlet
import pytest

from asf.adapters.eventlet_runtime.delays import FixedDelay
from asf.adapters.eventlet_runtime.engineio_server import ping
from tests.support.bounds import PATIENCE_SECONDS


class Socket:
    """Stands for the library's object for a connection."""

    closing = closed = False
    last_ping: float | None = None

    def __init__(self) -> None:
        self.sent: list[int] = []

    def send(self, packet: Any) -> None:
        self.sent.append(packet.packet_type)


def test_each_connection_is_pinged_once_for_each_time_it_is_added() -> None:
    """One green thread serves them all, and a later beginning works like the first."""
    delay = FixedDelay(0.01, ping)
    for _ in range(2):
        sockets = [Socket() for _ in range(3)]
        for socket in sockets:
            delay.add(socket)
        begin = time.monotonic()
        with eventlet.Timeout(PATIENCE_SECONDS):
            while not all(socket.sent for socket in sockets):
                eventlet.sleep(0.001)
        assert [socket.sent for socket in sockets] == [[2]] * 3
        assert all(begin <= (socket.last_ping or 0) <= time.monotonic() for socket in sockets)


def test_connections_that_are_gone_are_not_pinged(caplog: pytest.LogCaptureFixture) -> None:
    """Closed, closing, forgotten or broken: the next one is pinged all the same."""
    delay = FixedDelay(0.01, ping)
    closed, closing, broken, alive = Socket(), Socket(), Socket(), Socket()
    closed.closed = closing.closing = True
    broken.send = None  # type: ignore[method-assign,assignment]
    for socket in (Socket(), closed, closing, broken, alive):
        delay.add(socket)
    with eventlet.Timeout(PATIENCE_SECONDS):
        while not alive.sent:
            eventlet.sleep(0.001)
    assert closed.sent == closing.sent == []
    assert "What was due for a connection failed" in caplog.text
