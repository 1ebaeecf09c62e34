"""Several nodes on one Redis ask each other, as the port promises, whatever fails."""

import threading
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from asf.adapters.redis_store import node_calls, node_register
from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.node_calls import RedisNodeCalls
from asf.adapters.redis_store.pubsub import RedisPubSub
from asf.domain.operations.ports import NodeCalls
from tests.contracts.node_calls import NODE, Answering, NodeCallsContract
from tests.support.bounds import PATIENCE_SECONDS, STOP_SECONDS
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.usefixtures("patient_news", "long_leases")


@pytest.fixture
def long_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nodes expect answers of all others, however late these are: they send no heartbeats here by themselves."""
    monkeypatch.setattr(node_calls, "LEASE_SECONDS", 3600.0)


class RunningNode:
    """A node with its threads."""

    def __init__(
        self, url: str, prefix: str, name: str, answering: Answering, answer_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self.name = name
        self._client = connect(url)
        self.pubsub = RedisPubSub(self._client)
        self.calls = RedisNodeCalls(self._client, self.pubsub, name, self._spawn, prefix, answer_seconds)
        self.calls.connect(answering)
        self.calls.register.send_heartbeat()
        self._reader = threading.Thread(target=self.pubsub.run, daemon=True)
        self._reader.start()
        eventually(lambda: self.pubsub.is_connected)

    def stop(self) -> None:
        """Leave, and end the threads."""
        self.calls.close()
        self.vanish()

    def vanish(self) -> None:
        """End the threads without a word."""
        self.pubsub.close()
        self._reader.join(STOP_SECONDS)
        self._client.close()

    @staticmethod
    def _spawn(work: Callable[[], object]) -> None:
        threading.Thread(target=work, daemon=True).start()


StartNode = Callable[..., RunningNode]


@pytest.fixture
def start_node(shared_redis: RedisServer) -> Iterator[StartNode]:
    """Return a function that starts a node of a cluster of the test's own. All are stopped at the end."""
    prefix = f"{uuid4().hex}:nodes"
    nodes: list[RunningNode] = []

    def start(name: str, answering: Answering | None = None, answer_seconds: float = PATIENCE_SECONDS) -> RunningNode:
        nodes.append(RunningNode(shared_redis.url, prefix, name, answering or Answering(name), answer_seconds))
        return nodes[-1]

    yield start
    for node in nodes:
        node.stop()


class TestRedisNodeCalls(NodeCallsContract):
    """The contract."""

    @pytest.fixture
    def calls(self, answering: Answering, start_node: StartNode) -> NodeCalls:
        return start_node(NODE, answering).calls


def test_all_nodes_answer(start_node: StartNode) -> None:
    """Each once, whoever asks; and only the one that is meant, if one is."""
    nodes = [start_node(name) for name in ("a", "b", "c")]
    for node in nodes:
        answers = node.calls.ask({"ask": "echo", "word": node.name})
        assert answers.by_node == {name: {"from": name, "echo": node.name} for name in ("a", "b", "c")}
        assert answers.seconds.keys() == {"a", "b", "c"}
        assert not answers.silent
        assert node.calls.ask({"ask": "echo"}, "b").by_node.keys() == {"b"}


def test_a_node_that_does_not_answer_is_named(start_node: StartNode) -> None:
    """The others have answered meanwhile; nobody waits for longer than the limit."""
    asking, _other = start_node("asking", answer_seconds=0.3), start_node("other")
    start_node("silent").vanish()
    answers = asking.calls.ask({"ask": "echo"})
    assert answers.silent.keys() >= {"silent"}
    assert "asking" in answers.by_node
    eventually(lambda: asking.calls.ask({"ask": "echo"}).by_node.keys() == {"asking", "other"})
    silent = asking.calls.ask({"ask": "echo"}, "silent")
    assert not silent.by_node
    assert silent.silent.keys() == {"silent"}


def test_nobody_waits_for_a_node_without_heartbeats(start_node: StartNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with the time since the last one."""
    asking = start_node("asking")
    start_node("silent").vanish()
    monkeypatch.setattr(node_calls, "LEASE_SECONDS", 0.0)
    answers = asking.calls.ask({"ask": "echo"})  # Otherwise this would take a minute, and answer the same:
    assert answers.by_node.keys() == {"asking"}
    assert answers.silent["silent"] > 0


def test_a_node_whose_answer_fails_elsewhere_is_silent(start_node: StartNode) -> None:
    """It answers the next question."""
    asking, broken = start_node("asking", answer_seconds=0.3), Answering("broken")
    start_node("broken", broken)
    answers = asking.calls.ask({"ask": "break"})
    assert answers.silent.keys() == {"asking", "broken"}
    eventually(lambda: asking.calls.ask({"ask": "echo"}).by_node.keys() == {"asking", "broken"})


def test_an_answer_that_is_too_long_is_not_sent(start_node: StartNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory here and in Redis has a bound."""
    monkeypatch.setattr(node_calls, "MAX_ANSWER_BYTES", 1000)
    asking = start_node("asking", answer_seconds=0.3)
    start_node("other")
    eventually(lambda: asking.calls.ask({"ask": "echo", "word": "x" * 500}).by_node.keys() == {"asking", "other"})
    assert asking.calls.ask({"ask": "echo", "word": "x" * 1000}).silent.keys() == {"other"}


def test_a_node_that_leaves_is_forgotten(start_node: StartNode) -> None:
    """At once: it is neither asked nor named."""
    asking, leaving = start_node("asking"), start_node("leaving")
    assert asking.calls.ask({"ask": "echo"}).by_node.keys() == {"asking", "leaving"}
    leaving.stop()
    answers = asking.calls.ask({"ask": "echo"})
    assert answers.by_node.keys() == {"asking"}
    assert not answers.silent


def test_a_node_that_has_vanished_is_forgotten_after_a_while(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named until then; the others stay."""
    asking = start_node("asking", answer_seconds=0.1)
    start_node("vanished").vanish()
    assert "vanished" in asking.calls.ask({"ask": "echo"}).silent
    monkeypatch.setattr(node_register, "FORGET_SECONDS", 1)

    def has_forgotten() -> bool:
        asking.calls.register.send_heartbeat()
        return asking.calls.register.nodes().keys() == {"asking"}

    eventually(has_forgotten)


def test_the_register_has_a_limit(start_node: StartNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nodes with the oldest heartbeats are forgotten."""
    monkeypatch.setattr(node_register, "MOST_NODES", 2)
    for name in ("a", "b", "c"):
        node = start_node(name)
    assert node.calls.register.nodes().keys() == {"b", "c"}


def test_without_redis_the_node_answers_for_itself(mortal_redis: RedisServer) -> None:
    """And says why it does not know the others. It asks them again when Redis is back."""
    prefix = "nodes"
    node = RunningNode(mortal_redis.url, prefix, "a", Answering("a"))
    other = RunningNode(mortal_redis.url, prefix, "b", Answering("b"))
    mortal_redis.kill()
    answers = node.calls.ask({"ask": "echo"})
    assert answers.by_node == {"a": {"from": "a", "echo": None}}
    assert answers.problem == "Redis is unreachable."
    mortal_redis.start()
    eventually(lambda: node.pubsub.is_connected and other.pubsub.is_connected)
    for one in (node, other):
        one.calls.register.send_heartbeat()
    answers = node.calls.ask({"ask": "echo"})
    assert answers.by_node.keys() == {"a", "b"}
    assert answers.problem is None
    for one in (node, other):
        one.stop()
