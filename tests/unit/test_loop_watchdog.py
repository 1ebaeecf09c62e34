"""The watchdog of the event loop: which turns it reports, and whom it names."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import eventlet
import pytest
from eventlet.green import socket

from asf.adapters.eventlet_runtime import loop_watchdog
from asf.adapters.eventlet_runtime.loop_watchdog import (
    LOG_SECONDS,
    SAMPLE_SECONDS,
    STUCK_SECONDS,
    LoopWatchdog,
    calls_of,
    watched_loop,
)
from tests.support.bounds import PATIENCE_SECONDS


class VirtualLoop:
    """A loop in virtual time, whose turns and waits take as long as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.waits: list[float] = []
        self.reported: list[float] = []
        monkeypatch.setattr(loop_watchdog, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(eventlet, "spawn_n", lambda work, *arguments: work(*arguments))
        self.watchdog = LoopWatchdog(self.reported.append, threading.get_ident())
        self._poll = self.watchdog.around(self._wait)

    def _wait(self, seconds: float) -> str:
        self.waits.append(seconds)
        self.now += seconds
        return "events"

    def turn(self, seconds: float, wait: float = 60.0) -> None:
        """Let a turn take `seconds`, and the wait for events after it `wait`."""
        self.now += seconds
        assert self._poll(wait) == "events"


def test_slow_turns_are_reported_and_waits_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the loop waits for events. A report is made at once, not after the wait."""
    loop = VirtualLoop(monkeypatch)
    for seconds in (9.0, 0.001, 0.015, 0.5, 0.001, 0.025, 0.001):  # What precedes the first wait is no turn.
        loop.turn(seconds)
    assert loop.reported == pytest.approx([0.5, 0.025])
    assert loop.waits == [60.0, 60.0, 60.0, 0.0, 60.0, 0.0, 60.0]


def test_a_wait_that_fails_ends_and_begins_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a wait like any other, and its error is passed on."""
    loop = VirtualLoop(monkeypatch)

    def fail(seconds: float) -> None:
        loop.now += seconds
        raise OSError

    poll = loop.watchdog.around(fail)
    for _ in range(2):
        with pytest.raises(OSError):  # noqa: PT011 - as the library raises it
            poll(60.0)
        loop.now += 0.3
    with pytest.raises(OSError):  # noqa: PT011 - as above
        poll(60.0)
    assert loop.reported == pytest.approx([0.3, 0.3])


def test_many_slow_turns_are_one_line(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Each is reported; those below a tenth of a second are not logged at all, and one of five seconds always is."""
    loop = VirtualLoop(monkeypatch)
    for seconds in (0.0, *[LOG_SECONDS / 2] * 10, *[1.5 * LOG_SECONDS] * 10, STUCK_SECONDS):
        loop.turn(seconds, 0.0)
    assert len(loop.reported) == 21
    assert [record.getMessage() for record in caplog.records] == [
        "The event loop was blocked for 0.15 s by an unknown call",
        "The event loop was blocked for 5.00 s by an unknown call",
    ]


@pytest.mark.parametrize("in_turn", [False, True])
def test_a_process_that_did_not_run_is_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, in_turn: bool
) -> None:
    """Once: in a turn, that turn is. A thread that wakes up a little late says nothing."""
    loop = VirtualLoop(monkeypatch)
    loop.turn(0.0, 0.0)
    if not in_turn:
        loop.turn(0.0, wait=0.5 * SAMPLE_SECONDS)
    naps = iter([0.2, 0.9, 12.0])

    def sleep(seconds: float) -> None:
        nap = next(naps, None)
        if nap is None:
            loop.watchdog.stop()
        elif in_turn:
            loop.now += seconds + nap
        else:
            loop.turn(0.0, wait=seconds + nap)

    monkeypatch.setattr(loop_watchdog, "_sleep", sleep)
    loop.watchdog.watch()
    for _ in range(2):
        loop.turn(0.0)
    if in_turn:
        assert loop.reported == pytest.approx([13.1 + 3 * SAMPLE_SECONDS])
    else:
        assert loop.reported == pytest.approx([12.0])
        assert caplog.messages == ["This process did not run for 12.0 s: it was stopped, or had no CPU"]


@pytest.fixture
def loop_with_reader() -> Iterator[None]:
    """Let the event loop of this thread have something to wait for, like that of a server."""
    reader, writer = socket.socketpair()
    waiting = eventlet.spawn(reader.recv, 1)
    eventlet.sleep(0)
    yield
    writer.send(b"x")
    waiting.wait()
    reader.close()
    writer.close()


def block_until(condition: Callable[[], bool]) -> None:
    """Block the event loop, as a hung disk does, until `condition`, and for long enough to be logged."""
    start = time.monotonic()
    while not condition() or time.monotonic() - start < LOG_SECONDS:
        assert time.monotonic() - start < PATIENCE_SECONDS
        time.sleep(0.01)


@pytest.mark.usefixtures("loop_with_reader")
def test_the_culprit_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """By the calls that it was in, the innermost first; afterwards nothing is left of the watchdog."""
    sampled = threading.Event()

    def sample(thread_id: int) -> str:
        calls = calls_of(thread_id)
        if "block_until" in calls:
            sampled.set()
        return calls

    monkeypatch.setattr(loop_watchdog, "calls_of", sample)
    monkeypatch.setattr(loop_watchdog, "LOG_INTERVAL_SECONDS", 0.0)  # On a busy machine other turns are slow, too.
    reported: list[float] = []
    with watched_loop(reported.append), eventlet.Timeout(PATIENCE_SECONDS):
        eventlet.sleep(0.001)
        eventlet.spawn(block_until, sampled.is_set).wait()
        while "block_until (unit/test_loop_watchdog.py:" not in caplog.text:
            eventlet.sleep(0.001)
    assert max(reported) >= LOG_SECONDS
    assert "do_poll" not in vars(eventlet.hubs.get_hub())


@pytest.mark.usefixtures("loop_with_reader")
def test_a_turn_that_does_not_end_is_logged_while_it_lasts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the format of the log, past its lock, which the blocked task holds here."""
    monkeypatch.setattr(loop_watchdog, "STUCK_SECONDS", 0.1)
    path = tmp_path / "log"
    with path.open("w") as file:
        handler = logging.StreamHandler(file)
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(handler)

        def block() -> None:
            with handler.lock:  # type: ignore[union-attr]
                block_until(lambda: bool(path.read_text()))

        try:
            with watched_loop(lambda _seconds: None):
                eventlet.sleep(0.001)
                eventlet.spawn(block).wait()
        finally:
            logging.getLogger().removeHandler(handler)
    (line,) = path.read_text().splitlines()[:1]
    assert re.match(rf"WARNING {loop_watchdog.__name__}: The event loop is blocked, for \d+\.\d s so far, by ", line)
    assert "block_until (unit/test_loop_watchdog.py:" in line
