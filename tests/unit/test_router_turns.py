"""Delivery that yields: however much is published to however many, others have their turns, and nothing is lost."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from asf.adapters.memory_update_log import InMemoryUpdateLog
from asf.domain.access.control import AccessControl
from asf.domain.access.expiry import Expiries
from asf.domain.errors import UiEmitFailed
from asf.domain.updates.batch import Published
from asf.domain.updates.router import UiUpdateRouter
from asf.domain.updates.update import Handover, SequencedUpdate, Subscription, UiUpdate
from tests.support.examples import examples
from tests.support.virtual import ManualClock, RecordingObserver, ScriptedSubscribers

DEEPEST = 4
"""How many tasks may have yielded at a time."""


class World:
    """A server with a log of its own. What happens while its router yields is drawn."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
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
        with suppress(UiEmitFailed):
            self.router.subscribe(self.connections[-1], "alice")


@settings(max_examples=examples(200))
@given(data=st.data())
def test_whatever_happens_while_it_yields_each_subscriber_has_all_in_order(data: st.DataObject) -> None:
    """And each publisher is told how many connections have its update."""
    world = World(data)
    for _ in range(data.draw(st.integers(1, 12))):
        world.step()
    latest = world.log.recover("alice", None, 0.0).latest.seq
    assert latest == len(world.published) + world.failed
    had: dict[int, int] = {}
    for connection_id, sent in world.subscribers.sent.items():
        start = sent[0]
        assert isinstance(start, Subscription)
        numbers = [one.seq for one in sent[1:] if isinstance(one, SequencedUpdate)]
        assert numbers == list(range(start.latest.seq + 1, start.latest.seq + 1 + len(numbers)))
        if world.router._subscribers.get(connection_id, "alice"):  # noqa: SLF001
            assert start.latest.seq + len(numbers) == latest
        for number in numbers:
            had[number] = had.get(number, 0) + 1
    for published in world.published:
        assert published.subscribers == had.get(published.seq, 0)
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
