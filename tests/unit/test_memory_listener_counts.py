"""The listeners of a single server are counted as the port promises."""

import threading

import pytest

from asf.adapters.memory_listener_counts import InMemoryListenerCounts
from asf.adapters.system_clock import SystemClock
from asf.domain.streaming.audience_changes import AudienceChanges
from tests.contracts.listener_counts import FIRST, GRACE, LEFT, ListenerCountsContract, MakeNode, Node
from tests.support.bounds import STOP_SECONDS
from tests.support.processes import eventually
from tests.support.virtual import ManualClock


class TestInMemoryListenerCounts(ListenerCountsContract):
    """The contract."""

    @pytest.fixture
    def make_node(self) -> MakeNode:
        def make(*, reports: bool = True) -> Node:
            clock = ManualClock()
            counts = InMemoryListenerCounts(clock, AudienceChanges(GRACE))

            def look(now: float) -> None:
                clock.time = now
                counts.look()

            return Node(counts, look, reports=reports)

        return make


def test_events_are_reported_by_the_task() -> None:
    """It waits for a change, and for the end of the grace; it ends when it is closed."""
    counts = InMemoryListenerCounts(SystemClock(), AudienceChanges(0.05))
    node = Node(counts, lambda _now: None)
    task = threading.Thread(target=counts.run)
    task.start()
    node.join()
    eventually(lambda: node.events == [FIRST])
    node.leave()
    eventually(lambda: node.events == [FIRST, LEFT])
    counts.close()
    task.join(STOP_SECONDS)
    assert not task.is_alive()
