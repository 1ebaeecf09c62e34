"""Requests to subscribe: what waits does so in tasks, within limits, and the last one for each client wins."""

from collections import deque
from collections.abc import Callable

import pytest

from asf.adapters.realtime_api.replay_limits import COUNTED_BYTES, ReplayLimits
from asf.adapters.realtime_api.subscription_requests import LOOK_SECONDS, Request, SubscriptionRequests
from asf.domain.errors import TooManySubscriptions
from asf.domain.updates.limits import MAX_SUBSCRIPTIONS
from asf.domain.updates.update import EVERYTHING
from tests.support.virtual import ManualClock

ALL = Request(EVERYTHING, None)
LIVE_ONLY = Request(None, None)


class Transport:
    """A connection."""


class World:
    """Requests of one connection. Each subscription with `since` replays `history` updates."""

    def __init__(self, *, is_local: bool = True, history: int = 100) -> None:
        self.clock = ManualClock()
        self.limits = ReplayLimits(per_second=10.0, at_once=100, now=self.clock.now)
        self.history = history
        self.transport = Transport()
        self.tasks: deque[Callable[[], object]] = deque()
        self.subscribed: list[tuple[str, Request]] = []
        self.pauses: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.requests = SubscriptionRequests(
            self._subscribe, self.limits, self.tasks.append, self._pause, is_local=is_local
        )

    def ask(self, client_id: str = "alice", request: Request = ALL) -> None:
        """Ask for a subscription."""
        self.requests.start("connection", client_id, request, self.transport)

    def run(self) -> None:
        """Run all tasks to their ends."""
        while self.tasks:
            self.tasks.popleft()()

    def _subscribe(self, connection_id: str, client_id: str, request: Request) -> None:
        assert connection_id == "connection"
        self.subscribed.append((client_id, request))
        if request.since is not None:
            self.limits.count(self.transport, self.history, self.history)

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(seconds)
        self.meanwhile()


def test_what_need_not_wait_is_done_at_once() -> None:
    """Also if the connection has had its replays: live updates are not limited."""
    world = World()
    world.ask()
    world.ask("bob", LIVE_ONLY)
    assert world.subscribed == [("alice", ALL), ("bob", LIVE_ONLY)]
    assert not world.tasks


def test_a_replay_beyond_the_rate_waits_and_is_made() -> None:
    """In a task, until the connection is within the rate again. Nothing is refused."""
    world = World(history=99)
    for number in range(4):
        world.ask()
        assert len(world.subscribed) == min(number + 1, 2)
    world.run()
    assert len(world.subscribed) == 3
    assert sum(world.pauses) == pytest.approx(9.9)
    assert max(world.pauses) <= LOOK_SECONDS


def test_the_last_request_for_a_client_wins() -> None:
    """However many there are, it takes one task."""
    world = World(history=500)
    world.ask()
    requests = [Request(EVERYTHING, number) for number in range(50)]
    for request in requests:
        world.ask("alice", request)
    assert len(world.tasks) == 1
    world.run()
    assert world.subscribed[1:] == [("alice", requests[-1])]


def test_what_waits_for_another_machine_has_a_task() -> None:
    """The caller does not wait for it."""
    world = World(is_local=False)
    world.ask("alice", LIVE_ONLY)
    assert world.subscribed == []
    world.run()
    assert world.subscribed == [("alice", LIVE_ONLY)]


@pytest.mark.parametrize("is_local", [True, False])
def test_a_request_is_dropped_with_its_connection(is_local: bool) -> None:
    """Before its task begins, and while it waits; so is one that is cancelled."""
    for end in (
        lambda world: world.requests.drop("connection"),
        lambda world: world.requests.cancel("connection", "alice"),
    ):
        world = World(is_local=is_local, history=500)
        world.limits.count(world.transport, 500, 0)
        world.ask()
        end(world)
        world.run()
        world.ask()
        world.meanwhile = lambda end=end, world=world: end(world)  # type: ignore[misc]
        world.run()
        assert world.subscribed == []
        assert len(world.pauses) == 1
    assert not World().requests.cancel("connection", "alice")


def test_only_so_many_wait() -> None:
    """As many as a connection may have."""
    world = World(is_local=False)
    for number in range(MAX_SUBSCRIPTIONS):
        world.ask(f"client-{number}")
    with pytest.raises(TooManySubscriptions):
        world.ask("another")
    world.run()
    world.ask("another")


def test_large_updates_count_by_their_size() -> None:
    """Each connection has a rate of its own, which a new one does not inherit."""
    clock = ManualClock()
    limits = ReplayLimits(per_second=10.0, at_once=100, now=clock.now)
    one, another = Transport(), Transport()
    limits.count(one, 1, 200 * COUNTED_BYTES)
    assert limits.delay(one) == pytest.approx(10.1)
    assert limits.delay(another) == 0
    clock.advance(10.2)
    assert limits.delay(one) == 0
