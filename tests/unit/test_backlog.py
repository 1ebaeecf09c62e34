"""Whether the event loop keeps up: which rounds leave something for the next one."""

import time
from types import SimpleNamespace

import eventlet
import pytest
from eventlet import hubs

from asf.adapters.eventlet_runtime import backlog as backlog_module
from asf.adapters.eventlet_runtime.backlog import BEHIND_SECONDS, Backlog
from asf.adapters.eventlet_runtime.loop_watchdog import watched_loop
from asf.adapters.eventlet_runtime.runtime import EventletRuntime
from asf.adapters.eventlet_runtime.turns import EVENTS_PER_ROUND, Turns

MORE = 1.1 * BEHIND_SECONDS
LESS = 0.9 * BEHIND_SECONDS


class Loop:
    """An event loop in virtual time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.events = 0
        self.turns = SimpleNamespace(has_waiting=False)
        monkeypatch.setattr(backlog_module, "time", SimpleNamespace(monotonic=lambda: self.now))
        turns: Turns = self.turns  # type: ignore[assignment]
        self.backlog = Backlog(turns)
        self._poll = self.backlog.around(self._wait)

        self.stopped = 0.0

    def _wait(self, seconds: float) -> list[int]:
        self.now += seconds + self.stopped
        return [0] * self.events

    def round(self, work: float, wait: float = 0.0, events: int = 0) -> None:
        """Work for so many seconds, and wait for so many events."""
        self.now += work
        self.events = events
        assert len(self._poll(wait)) == events


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    """Return a loop that has nothing to do."""
    return Loop(monkeypatch)


def test_a_loop_that_is_not_watched_is_never_behind() -> None:
    """As on systems whose event loop cannot be watched."""
    assert not Backlog(Turns()).was_behind(10_000.0)


def test_the_loop_of_a_server_is_watched() -> None:
    """Its runtime says whether it is behind."""
    if not hasattr(hubs.get_hub(), "do_poll"):
        pytest.skip("this event loop cannot be watched")
    with watched_loop(lambda _seconds: None):
        eventlet.sleep(0)
        assert not EventletRuntime().was_behind(0.0)
        time.sleep(MORE)
        assert EventletRuntime().was_behind(0.0)
        eventlet.sleep(0)
        assert EventletRuntime().was_behind(10_000.0)
    time.sleep(MORE)
    assert not EventletRuntime().was_behind(LESS)


def test_a_loop_that_waits_is_not_behind(loop: Loop) -> None:
    """However long, and however often it has a little to do."""
    loop.round(work=0.0, wait=3600.0)
    for _ in range(100):
        loop.round(work=LESS, wait=0.0, events=EVENTS_PER_ROUND - 1)
    assert not loop.backlog.was_behind(10_000.0)


def test_a_long_turn_leaves_the_loop_behind(loop: Loop) -> None:
    """And so does a process that was stopped. It is known while it lasts, and for as long afterwards as asked."""
    loop.now += MORE
    assert loop.backlog.was_behind(5.0)
    loop.round(work=0.0, wait=4.9)
    assert loop.backlog.was_behind(5.0)
    loop.round(work=0.0, wait=0.2)
    assert not loop.backlog.was_behind(5.0)


def test_a_process_that_was_stopped_while_it_waited_is_behind(loop: Loop) -> None:
    """When it continues, it finds that the time is over, and not what has arrived meanwhile (epoll_wait(2))."""
    loop.stopped = LESS
    loop.round(work=0.0, wait=1.0)
    assert not loop.backlog.was_behind(5.0)
    loop.stopped = MORE
    loop.round(work=0.0, wait=1.0)
    assert loop.backlog.was_behind(5.0)


def test_a_loop_that_never_gets_round_to_all_is_behind(loop: Loop) -> None:
    """Where each round has as many events as it may have, or tasks wait for their turn."""
    loop.round(work=LESS / 2, events=EVENTS_PER_ROUND)
    assert not loop.backlog.was_behind(5.0)
    loop.round(work=LESS / 2, events=1)
    loop.round(work=LESS, events=1)
    assert not loop.backlog.was_behind(5.0)
    loop.turns.has_waiting = True
    loop.round(work=LESS / 2, events=1)
    loop.round(work=LESS / 2, events=EVENTS_PER_ROUND)
    loop.turns.has_waiting = False
    loop.round(work=LESS, events=0)
    assert loop.backlog.was_behind(5.0)
