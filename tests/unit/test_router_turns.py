"""Delivery that yields: however much is published to however many, others have their turns, and nothing is lost."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count, pairwise
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asf.adapters.memory_update_log import InMemoryUpdateLog
from asf.domain.access.control import AccessControl
from asf.domain.access.expiry import Expiries
from asf.domain.errors import NotSubscribed, UiEmitFailed
from asf.domain.updates import delivery
from asf.domain.updates.batch import Published
from asf.domain.updates.router import UiUpdateRouter
from asf.domain.updates.update import EVERYTHING, Handover, Position, SequencedUpdate, Subscription, UiUpdate
from tests.support.examples import examples
from tests.support.virtual import ManualClock, RecordingObserver, ScriptedSubscribers

DEEPEST = 4
"""How many tasks may have yielded at a time."""


class World:
    """A server with a log of its own. What happens while its router yields is drawn."""

    def __init__(self, data: st.DataObject, *, with_replays: bool) -> None:
        self.data = data
        self.with_replays = with_replays
        self.depth = 0
        self.subscribers = ScriptedSubscribers()
        clock = ManualClock()
        self.log = InMemoryUpdateLog(100, 60.0, lambda: "epoch")
        self.router = UiUpdateRouter(
            self.subscribers,
            self.log,
            AccessControl(None, Expiries(), clock, lambda: None),
            clock,
            RecordingObserver(),
            checkpoint=self.checkpoint,
        )
        self.numbers = count(1)
        self.connections: list[str] = []
        self.published: list[Published] = []
        self.failed = 0
        self.left: dict[str, list[Subscription | SequencedUpdate]] = {}

    def checkpoint(self) -> None:
        """Yield: other things may happen."""
        if self.depth < DEEPEST:
            self.depth += 1
            for _ in range(self.data.draw(st.integers(0, 2))):
                self.step()
            self.depth -= 1

    def step(self) -> None:
        """Let one thing happen."""
        actions: list[Callable[[], object]] = [self.publish, self.publish, self.come]
        if self.connections:
            connection_id = self.data.draw(st.sampled_from(self.connections))
            actions += [
                lambda: self.router.drop(connection_id),
                lambda: self.leave(connection_id),
                lambda: self.subscribers.outcomes.setdefault(connection_id, Handover.GONE),
                lambda: self.subscribers.outcomes.setdefault(connection_id, UiEmitFailed("broken")),
            ]
        self.data.draw(st.sampled_from(actions))()

    def publish(self) -> None:
        """Publish the next update."""
        try:
            self.published.append(self.router.publish(UiUpdate("alice", "n", next(self.numbers))))
        except UiEmitFailed:
            self.failed += 1

    def come(self) -> None:
        """Subscribe on a new connection."""
        self.connections.append(f"connection-{len(self.connections)}")
        latest = self.log.recover("alice", None, 0.0).latest
        since = Position(latest.epoch, self.data.draw(st.integers(0, latest.seq))) if self.with_replays else None
        with suppress(UiEmitFailed):
            self.router.subscribe(self.connections[-1], "alice", since)

    def leave(self, connection_id: str) -> None:
        """Unsubscribe; from then on nothing may be sent to the connection."""
        with suppress(NotSubscribed):
            self.router.unsubscribe(connection_id, "alice")
            self.left[connection_id] = list(self.subscribers.sent.get(connection_id, []))


@pytest.mark.parametrize("with_replays", [False, True])
@settings(max_examples=examples(200))
@given(data=st.data())
def test_whatever_happens_while_it_yields_each_subscriber_has_all_in_order(
    with_replays: bool, data: st.DataObject
) -> None:
    """Live or replayed. And each publisher is told how many connections have its update, or are to get it next."""
    world = World(data, with_replays=with_replays)
    with patch.object(delivery, "REPLAYED_AT_ONCE", 2):
        for _ in range(data.draw(st.integers(1, 12))):
            world.step()
    latest = world.log.recover("alice", None, 0.0).latest.seq
    assert latest == len(world.published) + world.failed
    had: dict[int, int] = {}
    for connection_id, sent in world.subscribers.sent.items():
        start = sent[0]
        assert isinstance(start, Subscription)
        numbers = [one.seq for one in sent[1:] if isinstance(one, SequencedUpdate)]
        before = start.latest.seq - len(start.missed)
        assert numbers == list(range(before + 1, before + 1 + len(numbers)))
        if world.router._subscribers.get(connection_id, "alice"):  # noqa: SLF001
            assert before + len(numbers) == latest
        for number in numbers:
            if number > start.latest.seq:
                had[number] = had.get(number, 0) + 1
        assert sent == world.left.get(connection_id, sent)
    for published in world.published:
        reached = had.get(published.seq, 0)
        # A connection may end while the update waits behind its replay.
        assert published.subscribers >= reached if with_replays else published.subscribers == reached
    assert world.router._in_hand == {}  # noqa: SLF001
    assert world.router._attempts._open == {}  # noqa: SLF001


def test_there_is_a_checkpoint_after_each_delivery() -> None:
    """Of one update to many, of many to one, and of a replay: so the runtime decides how long a turn is."""
    subscribers = ScriptedSubscribers()
    delivered: list[int] = []

    def checkpoint() -> None:
        delivered.append(sum(map(len, subscribers.sent.values())))

    clock = ManualClock()
    access = AccessControl(None, Expiries(), clock, lambda: None)
    log = InMemoryUpdateLog(100, 60.0, lambda: "epoch")
    router = UiUpdateRouter(subscribers, log, access, clock, RecordingObserver(), checkpoint=checkpoint)
    for number in range(50):
        router.subscribe(f"connection-{number}", "alice")
    router.publish(UiUpdate("alice", "n", 1))
    assert delivered == list(range(51, 101))


def test_a_replay_is_made_in_turns() -> None:
    """A few updates at a time, in order; what is published meanwhile follows."""
    subscribers = ScriptedSubscribers()
    replayed: list[int] = []
    clock = ManualClock()
    log = InMemoryUpdateLog(500, 60.0, lambda: "epoch")

    def checkpoint() -> None:
        replayed.append(len(subscribers.updates("late")))
        if len(replayed) == 3:
            router.publish(UiUpdate("alice", "n", "meanwhile"))

    access = AccessControl(None, Expiries(), clock, lambda: None)
    router = UiUpdateRouter(subscribers, log, access, clock, RecordingObserver(), checkpoint=checkpoint)
    for number in range(500):
        log.append(UiUpdate("alice", "n", number), 0.0, clock.now())
    router.subscribe("late", "alice", EVERYTHING)
    steps = [after - before for before, after in pairwise([0, *replayed])]
    assert max(steps) <= delivery.REPLAYED_AT_ONCE
    assert [one.seq for one in subscribers.updates("late")] == list(range(1, 502))
