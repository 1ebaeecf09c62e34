"""The listeners of several servers on one Redis are counted as the port promises, whatever fails."""

import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis

from asf.adapters.redis_store import listener_counts
from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.listener_counts import RedisListenerCounts
from asf.adapters.redis_store.presence import Timing
from asf.adapters.redis_store.pubsub import RedisPubSub
from asf.domain.errors import CatalogUnavailable
from asf.domain.streaming.audience import Demand
from tests.contracts.listener_counts import FIRST, GRACE, LEFT, ListenerCountsContract, MakeNode, Node
from tests.support.bounds import STOP_SECONDS
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer

PATIENT = Timing(lease_seconds=3600)


class Cluster:
    """Nodes on one Redis, under a prefix of their own."""

    def __init__(self, url: str) -> None:
        self.client = connect(url)
        self.pubsub = RedisPubSub(self.client)
        self.prefix = f"{uuid4().hex}:"

    def node(self, timing: Timing = PATIENT, *, reports: bool = True) -> Node:
        """Add a node, whose time is that of its own clock."""
        counts = RedisListenerCounts(self.client, self.pubsub, self.prefix, timing, GRACE)

        def look(now: float) -> None:
            counts.share()
            counts.look(now)

        return Node(counts, look, reports=reports)


def one_epoch(*nodes: Node) -> None:
    """Let the nodes have one time; their streams have the same epochs."""
    time_now = max(node.server.clock.time for node in nodes)
    for node in nodes:
        node.server.clock.time = time_now


@pytest.fixture
def cluster(shared_redis: RedisServer) -> Iterator[Cluster]:
    """Return an empty cluster in a Redis that stays."""
    made = Cluster(shared_redis.url)
    yield made
    made.client.close()


class TestRedisListenerCounts(ListenerCountsContract):
    """The contract, in a real Redis."""

    @pytest.fixture
    def make_node(self, shared_redis: RedisServer) -> Iterator[MakeNode]:
        clusters: list[Cluster] = []

        def make(*, reports: bool = True) -> Node:
            clusters.append(Cluster(shared_redis.url))
            return clusters[-1].node(reports=reports)

        yield make
        for made in clusters:
            made.client.close()


def test_the_demand_of_all_nodes(cluster: Cluster) -> None:
    """The furthest of all; what this node has counts at once, what others have as of their heartbeat."""
    first, second = cluster.node(), cluster.node()
    first.join("anna", window=500)
    second.join("ben", window=900)
    assert first.demand() == second.demand() == Demand(2, 900)
    second.server.join("s", "carl", window=2000)
    assert second.demand() == Demand(3, 2000)
    assert first.demand() == Demand(2, 900)
    second.look()
    assert first.demand() == Demand(3, 2000)
    second.leave("ben")
    second.leave("carl")
    assert first.demand() == Demand(1, 500)


def test_what_is_needed_is_shared_while_it_changes(cluster: Cluster) -> None:
    """Each heartbeat has the latest, although no listener joins or leaves."""
    first, second = cluster.node(), cluster.node()
    first.join("anna", window=500)
    first.server.run(1.0)
    first.server.service.acknowledge("anna", 300)
    first.look()
    assert second.demand() == Demand(1, 800)


def test_events_are_about_all_nodes(cluster: Cluster) -> None:
    """The first listener of the cluster, and its last one: each is reported by one node."""
    first, second = cluster.node(), cluster.node()
    first.join("anna")
    second.join("ben")
    first.leave("anna")
    first.after(100.0)
    one_epoch(first, second)
    second.look()
    assert first.events + second.events == [FIRST]
    second.leave("ben")
    second.after(GRACE + 0.5)
    one_epoch(first, second)
    first.look()
    second.look()
    assert first.events + second.events == [FIRST, LEFT]


def test_a_listener_that_moves_to_another_node_has_not_left(cluster: Cluster) -> None:
    """As when its connection breaks, or its node is shut down."""
    first, second = cluster.node(), cluster.node()
    first.join()
    first.leave()
    second.join()
    first.after(100.0)
    one_epoch(first, second)
    second.look()
    assert first.events + second.events == [FIRST]


def test_a_node_that_stops_without_a_word(cluster: Cluster) -> None:
    """Its listeners count until its lease ends, and their leaving is reported by another node."""
    short = Timing(heartbeat_seconds=0.1, lease_seconds=2.0)
    killed, other = cluster.node(short), cluster.node()
    killed.join()
    assert other.demand() == Demand(1, 500)
    eventually(lambda: other.demand() == Demand(0, None))
    other.after(listener_counts.LOOK_SECONDS + 1)
    other.after(GRACE + 0.5)
    assert (killed.events, other.events) == ([FIRST], [LEFT])


def test_a_node_that_is_shut_down_has_no_listeners_at_once(cluster: Cluster) -> None:
    """It gives up its lease."""
    first, second = cluster.node(), cluster.node()
    first.join()
    assert second.demand() == Demand(1, 500)
    first.counts.close()
    assert second.demand() == Demand(0, None)


def test_a_node_whose_lease_was_lost_counts_again(cluster: Cluster) -> None:
    """As when it was suspended, or Redis has lost its data: with its next heartbeat, and only once."""
    first, second = cluster.node(), cluster.node()
    first.join()
    for key in cluster.client.keys(f"{cluster.prefix}*"):
        cluster.client.delete(key)
    assert second.demand() == Demand(0, None)
    first.look()
    assert second.demand() == Demand(1, 500)
    assert first.demand() == Demand(1, 500)


def test_nothing_remains_of_a_cluster_without_listeners(cluster: Cluster) -> None:
    """But leases, which expire."""
    node = cluster.node()
    node.join()
    node.leave()
    node.after(GRACE + 0.5)
    keys: Any = cluster.client.keys(f"{cluster.prefix}*")
    left = [key.decode().removeprefix(cluster.prefix) for key in keys]
    assert [name.partition(":")[0] for name in left] == ["server"]


def test_what_cannot_be_remembered_for_ever_expires(cluster: Cluster) -> None:
    """Each key, for servers that are stopped and not started again."""
    node = cluster.node()
    node.join()
    node.join("ben", "strm_ü with space")
    node.leave("anna")
    keys = cluster.client.keys(f"{cluster.prefix}*")
    assert len(keys) == 4
    assert all(cluster.client.ttl(key) > 0 for key in keys)


def test_many_streams_at_once(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one script looks at."""
    monkeypatch.setattr(listener_counts, "STREAMS_PER_SCRIPT", 3)
    node = cluster.node()
    for number in range(10):
        node.server.join(f"stream-{number}", f"listener-{number}", wait=True)
    node.look()
    assert len(node.events) == 10
    node.after(listener_counts.LOOK_SECONDS + 0.5)
    for number in range(10):
        node.server.service.disconnect(f"listener-{number}")
    node.look()
    node.after(GRACE + 0.5)
    assert len(node.events) == len(set(node.events)) == 20


def test_while_redis_is_unreachable(mortal_redis: RedisServer) -> None:
    """The demand is not known; what has happened meanwhile is reported when it is back."""
    cluster = Cluster(mortal_redis.url)
    timing = Timing(heartbeat_seconds=0.05)
    counts = RedisListenerCounts(cluster.client, cluster.pubsub, cluster.prefix, timing, 0.05)
    node = Node(counts, lambda _now: None)
    task = threading.Thread(target=counts.run)
    task.start()
    try:
        node.join("anna")
        eventually(lambda: node.events == [FIRST])
        mortal_redis.kill()
        with pytest.raises(CatalogUnavailable):
            node.demand()
        node.leave("anna")
        node.join("ben", "strm_ü with space")
        mortal_redis.start()
        eventually(lambda: len(node.events) == 2)
        assert node.events[1][1] == "strm_ü with space"
        assert node.demand("strm_ü with space") == Demand(1, 500)
        assert node.demand() == Demand(0, None)
    finally:
        counts.close()
        task.join(STOP_SECONDS)
    assert not task.is_alive()
    cluster.client.close()


def test_closing_does_not_fail_without_redis(mortal_redis: RedisServer) -> None:
    """The lease expires by itself."""
    cluster = Cluster(mortal_redis.url)
    node = cluster.node()
    node.join()
    mortal_redis.kill()
    node.counts.close()
    with pytest.raises(redis.RedisError):
        cluster.client.ping()
    cluster.client.close()
