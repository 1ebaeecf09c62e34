"""What operators ask of all nodes: merged, in pages, and complete about who did not answer."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asf.adapters.prometheus import PrometheusMetrics
from asf.domain.errors import RateLimited, StreamNotFound
from asf.domain.operations.entries import Cursor, InvalidCursor, Kind, SessionEntry, SessionFilter
from asf.domain.operations.ports import Answers, Json
from asf.domain.operations.questions import ThisNode
from asf.domain.operations.rejections import EXPLANATIONS, OF_CLIENTS, explain
from asf.domain.operations.service import Operations, Outcome
from asf.domain.operations.slow_turns import WINDOW_SECONDS, SlowTurns
from tests.support.virtual import ManualClock
from tests.unit.test_errors import raised
from tests.unit.test_session_directory import VirtualNode


class ScriptedCalls:
    """Answers for some nodes, as a cluster of nodes with these answers would."""

    def __init__(self, answers: Mapping[str, Json], silent: Mapping[str, float] | None = None) -> None:
        self.answers = answers
        self.silent = dict(silent or {})
        self.asked: list[tuple[Mapping[str, Any], str | None]] = []

    def connect(self, answer: Any) -> None:
        raise NotImplementedError

    def ask(self, question: Mapping[str, Any], to: str | None = None) -> Answers:
        self.asked.append((question, to))
        by_node = {node: answer for node, answer in self.answers.items() if to in {None, node}}
        return Answers(dict(by_node), dict.fromkeys(by_node, 0.01), self.silent)


class VirtualCluster:
    """Nodes in virtual time, which answer as those of a cluster do."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.nodes = {name: VirtualNode(name) for name in names}
        self.answering = {
            name: ThisNode(name, dict, node.directory, node.audiences) for name, node in self.nodes.items()
        }

    def connect(self, answer: Any) -> None:
        raise NotImplementedError

    def ask(self, question: Mapping[str, Any], to: str | None = None) -> Answers:
        by_node = {name: one.answer(question) for name, one in self.answering.items() if to in {None, name}}
        return Answers(by_node, dict.fromkeys(by_node, 0.01))


def test_the_status_of_all_nodes() -> None:
    """By name, with the time that each took. One of a version that does not know the question is absent."""
    calls = ScriptedCalls({"b": {"status": {"node": "b"}}, "a": {"status": {"node": "a"}}, "old": {}}, {"c": 12.0})
    nodes, outcome = Operations(calls).nodes()
    assert nodes == [{"node": "a", "answer_seconds": 0.01}, {"node": "b", "answer_seconds": 0.01}]
    assert outcome == Outcome({"c": 12.0}, None)
    assert not outcome.is_complete


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("st"), st.booleans()), max_size=30),
    st.integers(1, 7),
)
@settings(max_examples=50)
def test_pages_of_a_cluster_have_everything_once(joins: list[tuple[str, str, bool]], limit: int) -> None:
    """In the order of nodes, kinds and age, whatever the size of the pages."""
    cluster = VirtualCluster(("a", "b", "c"))
    for number, (node, stream_id, subscribes) in enumerate(joins):
        if subscribes:
            cluster.nodes[node].router.subscribe(f"{node}-tab-{number}", stream_id)
        else:
            cluster.nodes[node].server.join(stream_id, f"{node}-{number}", wait=True)
    operations = Operations(cluster)
    found: list[Json] = []
    cursor: Cursor | None = None
    while True:
        page = operations.sessions(SessionFilter(), cursor, limit)
        assert len(page.entries) <= limit
        found += page.entries
        cursor = page.next_position
        if cursor is None:
            break
        assert Cursor.parse(str(cursor)) == cursor
    assert len({entry["id"] for entry in found}) == len(found) == len(joins)
    places = [Cursor.of_entry(entry) for entry in found]
    assert places == sorted(places)
    listed: list[Json] = []
    after: str | None = ""
    while after is not None:
        streams = operations.audiences(after, limit)
        listed += streams.entries
        after = streams.next_position
    assert [one["stream_id"] for one in listed] == sorted(
        {stream for _, stream, subscribes in joins if not subscribes}
    )
    for one in listed:
        nodes = [node for node, stream_id, subscribes in joins if stream_id == one["stream_id"] and not subscribes]
        assert one["nodes"] == {node: nodes.count(node) for node in nodes}
        assert one["listeners"] == len(nodes) == sum(one["transports"].values())


def test_the_sessions_of_one_node() -> None:
    """The others are not asked."""
    cluster = VirtualCluster(("a", "b"))
    for name, node in cluster.nodes.items():
        node.server.join("s", f"{name}-anna")
    page = Operations(cluster).sessions(SessionFilter(stream_id="s"), None, 10, "b")
    assert [entry["id"] for entry in page.entries] == ["b-anna.1"]


def test_a_session_is_ended_wherever_it_is() -> None:
    """And what was not found is told apart from what could not be asked."""
    cluster = VirtualCluster(("a", "b"))
    cluster.nodes["b"].server.join("s", "b-anna")
    operations = Operations(cluster)
    assert operations.end("b-anna.1") == ("b", Kind.LISTENER)
    assert operations.end("b-anna.1") == Outcome({}, None)
    silent = Operations(ScriptedCalls({"a": {"ended": None}}, {"b": 3.0})).end("b-anna.1")
    assert silent == Outcome({"b": 3.0}, None)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a:listener",
        "a:x:1",
        "a:listener:",
        "a:listener:-1",
        "a:listener:1:2",
        "a:listener:\u0661",
        "a:0:1",
        "::",
        "a:listener:9999999999999999999",
    ],
)
def test_what_is_no_cursor(text: str) -> None:
    """Is rejected."""
    with pytest.raises(InvalidCursor):
        Cursor.parse(text)


def test_an_entry_as_json_has_all_fields() -> None:
    """Null where nothing is known; those of the peer are its own."""
    entry = SessionEntry("a.1", Kind.LISTENER, "n", 1.0, "flowing").as_json()
    assert {"id", "kind", "node", "transport", "address", "forwarded_for", "waits_for"} < entry.keys()
    assert "peer" not in entry
    assert entry["address"] is entry["stream_id"] is None


def test_each_explanation_is_of_a_code_that_exists() -> None:
    """Others are the client's fault."""
    assert EXPLANATIONS.keys() <= {error.error_code for error in raised()} | {"ASF_INTERNAL_ERROR"}
    assert explain(["ASF_STREAM_NOT_FOUND", "ASF_INVALID_PAYLOAD"]) == {
        "ASF_INVALID_PAYLOAD": OF_CLIENTS,
        "ASF_STREAM_NOT_FOUND": EXPLANATIONS["ASF_STREAM_NOT_FOUND"],
    }


def test_rejections_are_those_of_the_metrics() -> None:
    """By code."""
    metrics = PrometheusMetrics()
    assert metrics.rejections() == {}
    for error in (StreamNotFound(), RateLimited(), StreamNotFound()):
        metrics.join_rejected("s", error, None)
    assert metrics.rejections() == {"ASF_STREAM_NOT_FOUND": 2, "ASF_RATE_LIMITED": 1}


def test_the_longest_turn_is_a_recent_one() -> None:
    """Later ones count when it is too old. All are passed on."""
    clock, observed = ManualClock(), list[float]()
    turns = SlowTurns(clock, observed.append)
    assert turns.longest_seconds() is None
    for seconds, pause in ((0.5, 100.0), (2.0, 100.0), (0.3, 50.0), (0.7, 0.0)):
        turns.note(seconds)
        assert turns.longest_seconds() == max(observed)
        clock.advance(pause)
    clock.advance(WINDOW_SECONDS - 150.0)
    assert turns.longest_seconds() == 2.0
    clock.advance(1.0)
    assert turns.longest_seconds() == 0.7
    clock.advance(WINDOW_SECONDS)
    assert turns.longest_seconds() is None
    assert observed == [0.5, 2.0, 0.3, 0.7]
