"""Long waits end in time, without a timer for each."""

import time

import eventlet
import pytest
from eventlet import hubs
from eventlet.event import Event

from asf.adapters.eventlet_runtime import long_waits
from asf.adapters.eventlet_runtime.long_waits import LongWaits
from tests.support.bounds import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_waits, "LOOK_SECONDS", 0.01)


def test_a_wait_that_lasts_too_long_is_ended() -> None:
    """Not before its time; the next one is limited again."""
    waits = LongWaits()
    for _ in range(2):
        started = time.monotonic()
        with eventlet.Timeout(PATIENCE_SECONDS), pytest.raises(TimeoutError):
            waits.during(0.05, lambda _size: Event().wait(), 1)
        assert time.monotonic() - started >= 0.05


def test_others_go_on_waiting() -> None:
    """Also those that may wait for as long, and began later."""
    waits = LongWaits()
    arrived: Event = Event()
    early = eventlet.spawn(waits.during, 0.05, lambda _size: Event().wait(), 1)
    late = eventlet.spawn(waits.during, PATIENCE_SECONDS, lambda _size: arrived.wait(), 1)
    with pytest.raises(TimeoutError):
        early.wait()
    arrived.send(b"bytes")
    assert late.wait() == b"bytes"


def test_one_timer_serves_all_waits() -> None:
    """And none is left when nobody waits."""
    waits = LongWaits()
    arrived: Event = Event()
    timers = hubs.get_hub().get_timers_count()
    tasks = [eventlet.spawn(waits.during, 60.0, lambda _size: arrived.wait(), 1) for _ in range(50)]
    eventlet.sleep(0)
    assert hubs.get_hub().get_timers_count() <= timers + 2
    arrived.send(b"bytes")
    assert [task.wait() for task in tasks] == [b"bytes"] * 50
    eventlet.sleep(0.03)
    assert not waits._due  # noqa: SLF001 - what is left cannot be seen otherwise
