"""Turns of long work on the event loop."""

from collections.abc import Callable
from types import SimpleNamespace

import eventlet
import pytest
from eventlet import hubs

from asf.adapters.eventlet_runtime import turns as turns_module
from asf.adapters.eventlet_runtime.turns import TURN_SECONDS, Turns


class Seconds:
    """The time, which passes only while somebody works."""

    def __init__(self) -> None:
        self.now = 1000.0

    def work(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    """Return the time that the turns are measured by."""
    seconds = Seconds()
    monkeypatch.setattr(turns_module, "time", SimpleNamespace(monotonic=lambda: seconds.now))
    return seconds


@pytest.fixture
def turns(seconds: Seconds) -> Turns:
    """Return turns that begin now."""
    assert seconds.now
    return Turns()


def run_all(tasks: list[Callable[[], object]]) -> None:
    """Run tasks until all have ended."""
    for thread in [eventlet.spawn(task) for task in tasks]:
        thread.wait()


def test_short_work_is_not_interrupted(turns: Turns, seconds: Seconds) -> None:
    """Not even where another task is waiting."""
    order: list[str] = []

    def work() -> None:
        for _ in range(3):
            seconds.work(TURN_SECONDS / 4)
            turns.checkpoint()
            order.append("work")

    run_all([work, lambda: order.append("other")])
    assert order == ["work", "work", "work", "other"]


def test_no_matter_how_many_work_others_wait_for_one_turn(turns: Turns, seconds: Seconds) -> None:
    """And those that work take turns: none of them is overtaken twice."""
    order: list[int] = []
    gaps: list[float] = []
    workers = 20

    def work(number: int) -> None:
        for _ in range(10):
            order.append(number)
            seconds.work(TURN_SECONDS)
            turns.checkpoint()

    def stand_by() -> None:
        while len(order) < 10 * workers:
            before = seconds.now
            eventlet.sleep(0)
            gaps.append(seconds.now - before)

    run_all([stand_by, *(lambda number=number: work(number) for number in range(workers))])
    # All begin in one round; from then on one of them has its turn in each.
    assert max(gaps[1:]) < 1.5 * TURN_SECONDS
    assert order == list(range(workers)) * 10


def test_a_task_that_is_ended_while_it_has_yielded_holds_up_nobody(turns: Turns, seconds: Seconds) -> None:
    """Its turn passes to the next one."""
    ended: list[str] = []

    def work() -> None:
        seconds.work(TURN_SECONDS)
        try:
            turns.checkpoint()
        finally:
            ended.append("work")

    first, second, third = (eventlet.spawn(work) for _ in range(3))
    eventlet.spawn_n(first.kill)
    second.wait()
    third.wait()
    assert len(ended) == 3


def test_a_callback_of_the_event_loop_goes_on(turns: Turns, seconds: Seconds) -> None:
    """It cannot yield."""
    called: list[int] = []

    def call() -> None:
        seconds.work(TURN_SECONDS)
        turns.checkpoint()
        called.append(1)

    hubs.get_hub().schedule_call_global(0, call)
    eventlet.sleep(0)
    eventlet.sleep(0)
    assert called == [1]
