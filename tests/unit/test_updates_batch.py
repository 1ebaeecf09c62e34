"""Batches of updates are published no faster than the subscribers read."""

from collections.abc import Callable

from asf.adapters.memory_update_log import InMemoryUpdateLog
from asf.domain.access.control import AccessControl
from asf.domain.access.expiry import Expiries
from asf.domain.updates.batch import LONGEST_WAIT_SECONDS
from asf.domain.updates.limits import FILLING_UPDATES, MAX_WAITING_UPDATES
from asf.domain.updates.readers import SILENT_SECONDS
from asf.domain.updates.router import UiUpdateRouter
from asf.domain.updates.update import Handover, SequencedUpdate, UiUpdate
from tests.support.virtual import ManualClock, RecordingObserver, ScriptedSubscribers

CAPACITY = MAX_WAITING_UPDATES
FILLING = FILLING_UPDATES / MAX_WAITING_UPDATES


class Queues(ScriptedSubscribers):
    """Connections with a queue each. Clients read `rates` updates a second; those without a rate read nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.queued: dict[str, float] = {}
        self.rates: dict[str, float] = {}
        self.most = 0.0

    def waiting(self, connection_id: str) -> float:
        return self.queued.get(connection_id, 0) / CAPACITY

    def emit(self, connection_id: str, update: SequencedUpdate, *, with_position: bool) -> Handover:
        if self.waiting(connection_id) >= 1:
            return Handover.TOO_SLOW
        self.queued[connection_id] = self.queued.get(connection_id, 0) + 1
        self.most = max(self.most, self.waiting(connection_id))
        self.outcomes[connection_id] = Handover.FILLING if self.waiting(connection_id) >= FILLING else Handover.TAKEN
        return super().emit(connection_id, update, with_position=with_position)

    def read(self, seconds: float) -> None:
        for connection_id, rate in self.rates.items():
            self.queued[connection_id] = max(0.0, self.queued.get(connection_id, 0) - rate * seconds)


class World:
    """A router whose pauses let time pass, in which clients read. `meanwhile` is called in each pause."""

    def __init__(self) -> None:
        self.queues = Queues()
        self.clock = ManualClock()
        self.paused = 0.0
        self.meanwhile: Callable[[], object] = lambda: None
        self.observer = RecordingObserver()
        self.router = UiUpdateRouter(
            self.queues,
            InMemoryUpdateLog(10, 60.0, lambda: "epoch"),
            AccessControl(None, Expiries(), self.clock, lambda: None),
            self.clock,
            self.observer,
            pause=self.pause,
        )

    def pause(self, seconds: float) -> None:
        self.paused += seconds
        self.clock.advance(seconds)
        self.queues.read(seconds)
        self.meanwhile()

    def subscribe(self, connection_id: str, rate: float = 0.0) -> None:
        self.router.subscribe(connection_id, "alice")
        if rate:
            self.queues.rates[connection_id] = rate

    def publish(self, count: int) -> None:
        """Publish a batch."""
        batch = self.router.batch()
        for number in range(count):
            batch.publish(UiUpdate("alice", "n", number))


def test_a_subscriber_that_reads_has_everything() -> None:
    """Of any number of updates, and with a queue that is never nearly full."""
    world = World()
    world.subscribe("fast", rate=2000)
    world.subscribe("slower", rate=1000)
    world.publish(5000)
    for connection_id in ("fast", "slower"):
        assert [one.seq for one in world.queues.updates(connection_id)] == list(range(1, 5001))
    assert world.queues.most < FILLING + 0.1
    assert world.paused < LONGEST_WAIT_SECONDS


def test_nobody_waits_long_for_a_subscriber_that_reads_nothing() -> None:
    """Once, until that is seen; then it exceeds its limits and is dropped, and the others have everything."""
    world = World()
    world.subscribe("silent")
    world.subscribe("reader", rate=100_000)
    world.publish(3000)
    assert SILENT_SECONDS <= world.paused <= 1.5 * SILENT_SECONDS
    assert len(world.queues.updates("silent")) == CAPACITY
    assert len(world.queues.updates("reader")) == 3000
    assert world.router.subscriptions == 1


def test_a_batch_does_not_wait_for_ever() -> None:
    """Neither for one that reads hardly anything, nor for one that leaves meanwhile."""
    world = World()
    world.subscribe("slow", rate=5)
    world.publish(900)
    assert LONGEST_WAIT_SECONDS <= world.paused <= LONGEST_WAIT_SECONDS + 0.1
    world.router.drop("slow")
    world.subscribe("leaver", rate=5)
    world.meanwhile = lambda: world.router.drop("leaver")
    before = world.paused
    world.publish(900)
    assert world.paused - before < 0.1


def test_single_updates_do_not_wait() -> None:
    """Between two of them others have their turns anyway."""
    world = World()
    world.subscribe("silent")
    for number in range(900):
        world.router.publish(UiUpdate("alice", "n", number))
    assert world.paused == 0
