"""Pings of Engine.IO, in virtual time: a client that reads slowly is not taken for one that has gone."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import engineio
import pytest
from engineio.packet import PONG, Packet
from engineio.socket import Socket

from asf.adapters.engineio import pings
from asf.adapters.engineio.pings import install_pings

INTERVAL, TIMEOUT = 25.0, 20.0


class VirtualRuntime:
    """Timers, in virtual time. What is spawned runs at once."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._calls: list[tuple[float, Callable[[], object]]] = []

    def call_later(self, seconds: float, work: Callable[[], object]) -> None:
        self._calls.append((self.now + seconds, work))

    def spawn(self, work: Callable[[], object]) -> None:
        work()

    def checkpoint(self) -> None:
        """Yield to nobody."""

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while due := [call for call in self._calls if call[0] <= end]:
            call = min(due, key=lambda one: one[0])
            self._calls.remove(call)
            self.now = max(self.now, call[0])
            call[1]()
        self.now = end


class Line:
    """A connection of the library, whose client is behind with its reading or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runtime = VirtualRuntime()
        monkeypatch.setattr("asf.adapters.delays.time.monotonic", lambda: self.runtime.now)
        monkeypatch.setattr(pings.MonotonicTime, "time", staticmethod(lambda: self.runtime.now))
        self.server: Any = engineio.Server(
            async_mode="threading", monitor_clients=False, ping_interval=INTERVAL, ping_timeout=TIMEOUT
        )
        self.is_behind = False
        self.noted = 0
        transport: Any = SimpleNamespace(is_behind=lambda _period: self.is_behind, note_ping=self._note)
        install_pings(self.server, self.runtime, lambda _sid: transport)  # type: ignore[arg-type]
        self.connection = Socket(self.server, "sid")
        self.connection.schedule_ping()

    @property
    def pings(self) -> int:
        """How many pings were sent."""
        return int(self.connection.queue.qsize())

    def pong(self) -> None:
        """Answer."""
        self.connection.receive(Packet(PONG))

    def _note(self) -> None:
        self.noted += 1


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    """Return a connection."""
    return Line(monkeypatch)


def test_a_client_that_answers_is_pinged_at_the_interval(line: Line) -> None:
    """Each answered ping is noted."""
    for number in range(1, 5):
        line.runtime.run(INTERVAL)
        assert (line.pings, line.noted) == (number, number)
        line.pong()


def test_a_client_that_does_not_answer_is_gone(line: Line) -> None:
    """After the timeout, as the library has it."""
    line.runtime.run(INTERVAL + TIMEOUT)
    assert line.connection.check_ping_timeout()
    line.runtime.run(1.0)
    assert not line.connection.check_ping_timeout()
    assert line.connection.closed


def test_a_client_that_is_behind_with_its_reading_is_not_gone(line: Line) -> None:
    """It is pinged again; each of its late answers is one too many for the library, which goes on at the interval."""
    line.is_behind = True
    for _ in range(10):
        line.runtime.run(TIMEOUT)
        assert line.connection.check_ping_timeout()
    sent = line.pings
    assert line.noted == sent > 10
    for _ in range(sent):
        line.pong()
    line.is_behind = False
    line.runtime.run(INTERVAL)
    assert line.pings == sent + 1
    line.runtime.run(TIMEOUT + 1)
    assert not line.connection.check_ping_timeout()


def test_a_client_that_stops_reading_is_gone(line: Line) -> None:
    """After one more timeout."""
    line.is_behind = True
    line.runtime.run(INTERVAL + 3 * TIMEOUT)
    line.is_behind = False
    line.runtime.run(TIMEOUT + 1)
    assert not line.connection.check_ping_timeout()
