"""What is done with thousands of sessions is done in turns: others run in between, and what changes then is seen."""

from collections import deque
from collections.abc import Callable

import pytest

from asf.domain.errors import AsfError, Draining, ListenerTooSlow, StreamNotFound
from asf.domain.streaming.admission import STARTS_AT_ONCE
from asf.domain.streaming.events import SessionStatus, StatusChanged, StreamFailed
from asf.domain.streams.stream import StreamState
from tests.support.faults import CROWD
from tests.support.virtual import ScriptedListener, VirtualServer

MANY = 100

Work = Callable[[VirtualServer], object]


class Crowd:
    """Many listeners on a server, of which `told` counts those that have been sent another event since `start`."""

    def __init__(self, server: VirtualServer, *, wait: bool = False) -> None:
        self.listeners = [server.join("s", f"listener-{number}", wait=wait) for number in range(MANY)]
        self.start()

    def start(self) -> None:
        self._before = [len(one.events) for one in self.listeners]

    @property
    def told(self) -> int:
        return sum(len(one.events) > before for one, before in zip(self.listeners, self._before, strict=True))


def failure_of(listener: ScriptedListener) -> type[AsfError] | None:
    """Return why a listener's session failed, if it did."""
    last = listener.events[-1]
    return type(last.error) if isinstance(last, StreamFailed) else None


@CROWD
@pytest.mark.parametrize(
    ("work", "waits"),
    [
        (lambda server: server.announce("s"), True),
        (lambda server: server.service.drain(), False),
        (lambda server: server.service.end_all(), False),
        (lambda server: server.service.end_all(), True),
    ],
    ids=["announcement", "drain", "end", "end of those who wait"],
)
def test_others_run_after_each_session(work: Work, waits: bool) -> None:
    """The runtime decides how many of them make a turn."""
    audios: dict[str, bytes] = {} if waits else {"s": b"x" * 100_000}
    server = VirtualServer(audios)
    crowd = Crowd(server, wait=waits)
    audios["s"] = b"x" * 100_000
    told: list[int] = []
    server.meanwhile = lambda: told.append(crowd.told)
    work(server)
    assert told == list(range(1, MANY + 1))


@CROWD
def test_in_the_pump_a_bounded_number_of_sessions_ends_in_a_turn() -> None:
    """Of those that have waited too long, and of those that take nothing."""
    server = VirtualServer(wait_seconds=10.0)
    waiting = Crowd(server, wait=True)
    server.clock.advance(10.0)
    turns = 0
    while waiting.told < MANY:
        before = waiting.told
        server.pump.turn()
        assert 0 < waiting.told - before <= MANY // 3
        turns += 1
    assert turns >= 3
    assert {failure_of(one) for one in waiting.listeners} == {StreamNotFound}

    server = VirtualServer({"s": bytes(1_000_000)}, slow_seconds=30.0)
    listeners = [server.join("s", f"listener-{number}", capacity=1000) for number in range(MANY)]
    server.run(29.0)
    server.clock.advance(2.0)
    ended = 0
    while ended < MANY:
        server.pump.turn()
        now_ended = sum(failure_of(one) is ListenerTooSlow for one in listeners)
        assert 0 < now_ended - ended <= MANY // 3
        ended = now_ended


class Tasks:
    """The tasks that a server has spawned, which run when the test says so."""

    def __init__(self) -> None:
        self.waiting: deque[Callable[[], object]] = deque()

    def run(self) -> None:
        while self.waiting:
            self.waiting.popleft()()


def crowd_of_waiting() -> tuple[VirtualServer, Tasks, Crowd]:
    """Return a server whose listeners all wait for the stream `s`."""
    tasks = Tasks()
    audios: dict[str, bytes] = {}
    server = VirtualServer(audios, spawn=tasks.waiting.append)
    crowd = Crowd(server, wait=True)
    tasks.run()
    crowd.start()
    audios |= {"s": b"a" * 100, "other": b"b" * 50}
    return server, tasks, crowd


@CROWD
def test_an_announcement_is_answered_before_all_who_wait_have_started() -> None:
    """They start in a task; a few start at once."""
    server, tasks, crowd = crowd_of_waiting()
    assert MANY > STARTS_AT_ONCE
    server.announce("s")
    assert crowd.told == 0
    tasks.run()
    server.run_until_idle()
    assert crowd.told == MANY
    assert {bytes(one.received) for one in crowd.listeners} == {b"a" * 100}


def once(action: Callable[[], object], crowd: Crowd, at: int) -> Callable[[], object]:
    """Return what does something when so many have been told."""
    done: list[int] = []

    def meanwhile() -> None:
        if not done and crowd.told >= at:
            done.append(1)
            action()

    return meanwhile


def test_who_leaves_meanwhile_is_not_started() -> None:
    """And who comes meanwhile is."""
    server, tasks, crowd = crowd_of_waiting()
    late: list[ScriptedListener] = []

    def change() -> None:
        server.service.disconnect(f"listener-{MANY - 1}")
        late.append(server.join("s", "late"))

    server.meanwhile = once(change, crowd, 10)
    server.announce("s")
    tasks.run()
    server.run_until_idle()
    assert crowd.told == MANY - 1
    assert [len(one.received) for one in crowd.listeners] == [100] * (MANY - 1) + [0]
    assert bytes(late[0].received) == b"a" * 100
    assert len(server.service) == 0


def test_who_has_not_started_when_the_stream_changes_gets_the_newer_one() -> None:
    """Regenerated meanwhile: nobody starts on what is no longer announced."""
    server, tasks, crowd = crowd_of_waiting()
    server.meanwhile = once(lambda: server.announce("s", "other"), crowd, 10)
    server.announce("s")
    tasks.run()
    server.run_until_idle()
    received = [bytes(one.received) for one in crowd.listeners]
    assert received == [b"a" * 100] * 10 + [b"b" * 50] * (MANY - 10)


def test_who_has_not_started_when_the_stream_is_deleted_waits_on() -> None:
    """Until it is announced again."""
    server, tasks, crowd = crowd_of_waiting()
    server.meanwhile = once(lambda: server.catalog.delete("s"), crowd, 10)
    server.announce("s", state=StreamState.COMPLETE)
    tasks.run()
    server.run(1.0)
    assert crowd.told == 10
    server.announce("s", "other")
    tasks.run()
    server.run_until_idle()
    assert [bytes(one.received) for one in crowd.listeners] == [b"a" * 100] * 10 + [b"b" * 50] * (MANY - 10)


def test_who_ends_while_a_drain_is_announced_is_not_told() -> None:
    """And those that are left are told at the end."""
    server = VirtualServer({"s": bytes(1_000_000)})
    crowd = Crowd(server)
    last = crowd.listeners[-1]
    server.meanwhile = once(lambda: server.service.disconnect(f"listener-{MANY - 1}"), crowd, 10)
    server.service.drain()
    assert crowd.told == MANY - 1
    assert not any(
        isinstance(one, StatusChanged) and one.status is SessionStatus.SERVER_DRAINING for one in last.events
    )
    server.service.end_all()
    assert {failure_of(one) for one in crowd.listeners[:-1]} == {Draining}
    assert len(server.service) == 0
