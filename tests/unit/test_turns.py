"""Turns of long work on the event loop."""

from collections.abc import Callable
from types import SimpleNamespace

import eventlet
import pytest
from eventlet import hubs
from eventlet.green import socket

from asf.adapters.eventlet_runtime import turns as turns_module
from asf.adapters.eventlet_runtime.precedence import Precedence
from asf.adapters.eventlet_runtime.turns import EVENTS_PER_ROUND, TURN_SECONDS, Turns, bounded_poll


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


def test_thousands_that_have_a_little_to_do_at_once_do_it_in_several_turns(turns: Turns, seconds: Seconds) -> None:
    """As many as fit into a turn in each round, in their order: such as tasks whose connections end."""
    order: list[int] = []
    gaps: list[float] = []
    workers = 40

    def work(number: int) -> None:
        turns.checkpoint()
        order.append(number)
        seconds.work(TURN_SECONDS / 4)

    def stand_by() -> None:
        while len(order) < workers:
            before = seconds.now
            eventlet.sleep(0)
            gaps.append(seconds.now - before)

    seconds.work(TURN_SECONDS)  # The turn before was long ago.
    run_all([stand_by, *(lambda number=number: work(number) for number in range(workers))])
    assert max(gaps) < 1.5 * TURN_SECONDS
    assert len(gaps) <= workers / 4 + 2
    assert order == list(range(workers))


def test_a_task_that_fails_holds_up_nobody(turns: Turns, seconds: Seconds) -> None:
    """Those behind it have their turn."""
    done: list[str] = []

    def work(name: str) -> None:
        seconds.work(TURN_SECONDS)
        turns.checkpoint()
        if name == "fails":
            raise ZeroDivisionError
        done.append(name)

    failing, second, third = (eventlet.spawn(work, name) for name in ("fails", "second", "third"))
    with pytest.raises(ZeroDivisionError):
        failing.wait()
    second.wait()
    third.wait()
    assert done == ["second", "third"]


def test_a_round_of_the_event_loop_runs_a_bounded_number_of_tasks() -> None:
    """However many sockets are ready; the others have their turn in the next rounds."""
    hub = hubs.get_hub()
    if not hasattr(hub, "poll"):
        pytest.skip("this event loop has no epoll")
    count = 3 * EVENTS_PER_ROUND
    pairs = [socket.socketpair() for _ in range(count)]
    found: list[int] = []
    original, limited = hub.do_poll, bounded_poll(hub, Precedence())

    def polled(timeout: float) -> object:
        events = limited(timeout)
        found.append(len(events))
        return events

    hub.do_poll = polled
    try:
        threads = [eventlet.spawn(reading.recv, 1) for reading, _ in pairs]
        eventlet.sleep(0)
        for _, writing in pairs:
            writing.send(b"x")
        assert [thread.wait() for thread in threads] == [b"x"] * count
    finally:
        hub.do_poll = original
        for pair in pairs:
            for one in pair:
                one.close()
    assert max(found) == EVENTS_PER_ROUND
    assert sum(found) >= count


def test_a_new_connection_does_not_wait_for_all_that_were_ready_before_it() -> None:
    """A listening socket is read in the next round."""
    hub = hubs.get_hub()
    if not hasattr(hub, "poll"):
        pytest.skip("this event loop has no epoll")
    listening = eventlet.listen(("127.0.0.1", 0))
    pairs = [socket.socketpair() for _ in range(3 * EVENTS_PER_ROUND)]
    order: list[str] = []
    original = hub.do_poll
    precedence = Precedence()
    precedence.add(listening.fileno())
    hub.do_poll = bounded_poll(hub, precedence)

    def read(one: socket.socket) -> None:
        one.recv(1)
        order.append("other")

    def accept() -> None:
        connection, _ = listening.accept()
        connection.close()
        order.append("accepted")

    try:
        threads = [eventlet.spawn(read, reading) for reading, _ in pairs]
        threads.append(eventlet.spawn(accept))
        eventlet.sleep(0)
        for _, writing in pairs:
            writing.send(b"x")
        client = socket.create_connection(listening.getsockname())
        for thread in threads:
            thread.wait()
    finally:
        hub.do_poll = original
        for one in (listening, client, *(one for pair in pairs for one in pair)):
            one.close()
    assert order.index("accepted") <= EVENTS_PER_ROUND


def test_a_hub_without_epoll_polls_as_it_does() -> None:
    """There is no limit to give it."""
    hub = SimpleNamespace(do_poll=lambda seconds: seconds)
    assert bounded_poll(hub, Precedence())(3.0) == 3.0


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
