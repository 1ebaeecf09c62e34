"""What is done with thousands of sessions is done in turns: others run in between, and what changes then is seen."""

from collections import deque
from collections.abc import Callable

import pytest

from asf.domain.errors import AsfError, Draining, ListenerTooSlow, StreamNotFound
from asf.domain.streaming.admission import STARTS_AT_ONCE
from asf.domain.streaming.events import SessionStatus, StatusChanged, StreamFailed
from asf.domain.streaming.live_edge import STALLS_PER_TURN
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
    server.run(33.0)
    server.clock.advance(2.0)
    ended = 0
    while ended < MANY:
        server.pump.turn()
        now_ended = sum(failure_of(one) is ListenerTooSlow for one in listeners)
        assert 0 < now_ended - ended <= MANY // 3
        ended = now_ended


def turn_until(server: VirtualServer, progress: Callable[[], int]) -> list[int]:
    """Turn the pump until `progress` is made for all listeners; return by how much in each turn."""
    steps = []
    while (before := progress()) < MANY:
        server.pump.turn()
        steps.append(progress() - before)
    return steps


def crowd_at_the_live_edge() -> tuple[VirtualServer, dict[str, bytes], Crowd]:
    """Return a server whose listeners all have what there is of a stream that grows, 9 s after its last growth."""
    audios: dict[str, bytes] = {}
    server = VirtualServer(audios, stall_seconds=10.0, give_up_seconds=60.0)
    audios["s"] = b"a" * 100
    server.announce("s", state=StreamState.GENERATING)
    crowd = Crowd(server)
    for _ in range(9):
        server.run(1.0)
    crowd.start()
    return server, audios, crowd


def stall_some(server: VirtualServer) -> None:
    """Let the stream stall for some of its listeners."""
    for _ in range(2):
        server.clock.advance(1.0)
        server.pump.turn()


def test_a_bounded_number_of_sessions_stalls_in_a_turn() -> None:
    """And each of them once."""
    server, _audios, crowd = crowd_at_the_live_edge()
    stall_some(server)
    steps = [crowd.told, *turn_until(server, lambda: crowd.told)]
    assert all(0 < step <= MANY // 3 for step in steps)
    server.run(1.0)
    assert {one.kinds.count("stalled") for one in crowd.listeners} == {1}


def test_who_has_not_been_told_when_the_audio_grows_never_is() -> None:
    """Whoever has paused or left meanwhile is not told either."""
    server, audios, crowd = crowd_at_the_live_edge()
    stall_some(server)
    told = crowd.told
    server.service.pause(f"listener-{MANY - 1}")
    server.service.disconnect(f"listener-{MANY - 2}")
    audios["s"] += b"b" * 100
    server.clock.advance(1.0)
    server.run(1.0)
    assert sum("stalled" in one.kinds for one in crowd.listeners) <= told + MANY // 3
    assert [len(one.received) for one in crowd.listeners] == [200] * (MANY - 2) + [100] * 2
    assert crowd.listeners[-1].kinds[-1] == "paused"
    assert "stalled" not in crowd.listeners[-2].kinds


def test_who_acknowledges_while_the_audio_stalls_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Before the turn in which it is told, and between the turns in which others are."""
    audios: dict[str, bytes] = {}
    server = VirtualServer(audios, stall_seconds=10.0, give_up_seconds=60.0)
    audios["s"] = b"a" * 100
    server.announce("s", state=StreamState.GENERATING)
    listeners = [server.join("s", f"listener-{number}", window=1000) for number in range(2 * STALLS_PER_TURN)]
    while {one.kinds.count("stalled") for one in listeners} != {1}:
        for number in range(len(listeners)):
            server.service.acknowledge(f"listener-{number}", 100)
        server.clock.advance(0.25)
        server.pump.turn()
    audios["s"] += b"b"
    server.run(0.5)
    assert {one.kinds.count("stalled") for one in listeners} == {1}
    assert [len(one.received) for one in listeners] == [101] * len(listeners)
    assert caplog.messages == []


def test_a_bounded_number_of_sessions_is_woken_in_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever leaves, pauses or seeks meanwhile is not woken."""
    monkeypatch.setattr("asf.domain.streaming.live_edge.WAKES_PER_TURN", MANY // 10)
    server, audios, crowd = crowd_at_the_live_edge()
    audios["s"] += b"b" * 100
    server.clock.advance(1.0)
    server.pump.turn()
    server.service.disconnect(f"listener-{MANY - 1}")
    server.service.pause(f"listener-{MANY - 2}")
    server.service.seek(f"listener-{MANY - 3}", 150)

    def served() -> int:
        return 2 + sum(len(one.received) > 100 for one in crowd.listeners)

    assert 2 < served() <= 2 + MANY // 10
    steps = turn_until(server, served)
    assert all(0 < step <= MANY // 10 + 1 for step in steps)
    assert [len(one.received) for one in crowd.listeners] == [200] * (MANY - 3) + [150, 100, 100]
    assert bytes(crowd.listeners[0].received) == b"a" * 100 + b"b" * 100


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
