"""One of three servers on one Redis answers operators for all of them, and names those that do not answer."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import join
from tests.support.fixtures import audio_of
from tests.support.nodes import TOKEN, Nodes
from tests.support.processes import ServerProcess, eventually

pytestmark = pytest.mark.one_process("each worker is a node: test_workers.py has what operators see of them")

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def ask(server: ServerProcess, route: str, **query: str | int) -> dict[str, Any]:
    """Return the response of a route for operators."""
    response = requests.get(
        f"{server.url}/asf/internal/{route}", params=query, headers=HEADERS, timeout=PATIENCE_SECONDS
    )
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def end(server: ServerProcess, session_id: str) -> requests.Response:
    """End a session."""
    url = f"{server.url}/asf/internal/sessions/{session_id}"
    return requests.delete(url, headers=HEADERS, timeout=PATIENCE_SECONDS)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    """Return three servers, which know each other by now, with a long stream."""
    nodes = Nodes(tmp_path, {"ASF_INTERNAL_TRUSTED_NETWORKS": "127.0.0.0/8"})
    nodes.announce("long", audio_of(24_000_000))
    for node in nodes.all:
        eventually(lambda: len(ask(node, "nodes")["nodes"]) == 3)  # noqa: B023
    yield nodes
    nodes.stop()


def test_one_node_answers_for_all(nodes: Nodes) -> None:
    """Who hears the stream, on which node; and a listener elsewhere is disconnected."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(closing(join(node, "long"))) for node in nodes.all]
        for listener in listeners:
            listener.receive_until("start_of_stream")
        names = sorted(one["node"] for one in ask(nodes.all[0], "nodes")["nodes"])
        found = eventually(
            lambda: page if len(page := ask(nodes.all[0], "sessions", stream_id="long")["sessions"]) == 3 else None
        )
        assert [one["node"] for one in found] == names
        paged: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = ask(nodes.all[1], "sessions", limit=1, cursor=cursor)
            paged, cursor = paged + page["sessions"], page["next_cursor"]
        assert [one["id"] for one in paged] == [one["id"] for one in found]
        (stream,) = ask(nodes.all[2], "listeners")["streams"]
        assert (stream["listeners"], stream["nodes"]) == (3, dict.fromkeys(names, 1))
        (alone,) = ask(nodes.all[0], "sessions", node=names[1])["sessions"]
        assert alone["node"] == names[1]
        for one in found:
            eventually(lambda: end(nodes.all[0], one["id"]).status_code == 200)  # noqa: B023
        for listener in listeners:
            assert listener.receive_until("stream_error")["error_code"] == "ASF_DISCONNECTED"


def test_a_node_that_hangs_is_named(nodes: Nodes) -> None:
    """SIGSTOP: the others answer for themselves meanwhile, and for it when it goes on."""
    hanging = nodes.all[2]
    with closing(join(hanging, "long")) as listener:
        listener.receive_until("start_of_stream")
        everything = eventually(lambda: page if len(page := ask(nodes.all[0], "sessions")["sessions"]) == 1 else None)
        session = everything[0]
        os.kill(hanging.pid, signal.SIGSTOP)
        try:
            body = eventually(lambda: found if len((found := ask(nodes.all[0], "nodes"))["nodes"]) == 2 else None)
            (silent,) = body["not_answering"]
            assert silent["node"] == session["node"]
            assert body["problem"] is None
            page = ask(nodes.all[0], "sessions")
            assert [one["node"] for one in page["not_answering"]] == [session["node"]]
            assert page["sessions"] == []
            refused = end(nodes.all[0], session["id"])
            assert (refused.status_code, refused.json()["error_code"]) == (503, "ASF_NODES_NOT_ANSWERING")
            assert session["node"] in refused.json()["details"]
            # It is not waited for any longer once it has missed heartbeats.
            eventually(lambda: ask(nodes.all[0], "nodes")["not_answering"][0]["last_seen_seconds"] > 10)
        finally:
            os.kill(hanging.pid, signal.SIGCONT)
        eventually(lambda: _all_answer(nodes))
        eventually(lambda: _longest_turn(nodes, session["node"]) > 1)
        eventually(lambda: any("This process did not run for " in line for line in hanging.log))


def _all_answer(nodes: Nodes) -> bool:
    body = ask(nodes.all[0], "nodes")
    return (len(body["nodes"]), body["not_answering"]) == (3, [])


def _longest_turn(nodes: Nodes, name: str) -> float:
    found = [node for node in ask(nodes.all[0], "nodes")["nodes"] if node["node"] == name]
    return max((node["longest_turn_seconds"] or 0.0 for node in found), default=0.0)


def test_which_node_reaches_redis_how_fast(nodes: Nodes) -> None:
    """And without Redis each node still answers for itself, and says why for no other."""
    for node in ask(nodes.all[0], "nodes")["nodes"]:
        assert node["redis"]["connected"]
        assert node["redis"]["latency_seconds"] > 0
        assert node["answer_seconds"] >= 0
    nodes.redis.kill()
    for server in nodes.all:
        body = ask(server, "nodes")
        (node,) = body["nodes"]
        assert (node["redis"]["connected"], node["state"]) == (False, "not_ready")
        assert body["problem"] == "Redis is unreachable."
        assert node["redis"]["problem"] == "Redis is unreachable."
    nodes.redis.start()
    eventually(lambda: len(ask(nodes.all[0], "nodes")["nodes"]) == 3)


def test_a_node_that_is_stopped_is_no_longer_named(nodes: Nodes) -> None:
    """One that is killed is, for a while."""
    assert nodes.all[1].stop() == 0
    body = ask(nodes.all[0], "nodes")
    assert (len(body["nodes"]), body["not_answering"]) == (2, [])
    nodes.all[2].kill()
    body = ask(nodes.all[0], "nodes")
    assert (len(body["nodes"]), len(body["not_answering"])) == (1, 1)
