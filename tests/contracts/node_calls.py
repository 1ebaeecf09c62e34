"""What every `NodeCalls` promises."""

from collections.abc import Mapping
from typing import Any

import pytest

from asf.domain.operations.ports import Json, NodeCalls

NODE = "node-1"


class Answering:
    """Answers as the node that a test is about, and keeps the questions."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.asked: list[dict[str, Any]] = []

    def __call__(self, question: Mapping[str, Any]) -> Json:
        self.asked.append(dict(question))
        if question.get("ask") == "break":
            raise RuntimeError("It is broken.")
        return {"from": self.node, "echo": question.get("word")}


class NodeCallsContract:
    """Needs a fixture `calls`: those of the only node, which is called `NODE`; `answering` answers there."""

    @pytest.fixture
    def answering(self) -> Answering:
        return Answering(NODE)

    @pytest.fixture
    def calls(self, answering: Answering) -> NodeCalls:
        raise NotImplementedError

    def test_the_node_answers_itself(self, calls: NodeCalls, answering: Answering) -> None:
        answers = calls.ask({"ask": "echo", "word": "ü \u0000 <b>"})
        assert answers.by_node == {NODE: {"from": NODE, "echo": "ü \u0000 <b>"}}
        assert answers.seconds.keys() == {NODE}
        assert (answers.silent, answers.problem) == ({}, None)
        assert answering.asked == [{"ask": "echo", "word": "ü \u0000 <b>"}]

    def test_one_node_can_be_asked(self, calls: NodeCalls, answering: Answering) -> None:
        assert calls.ask({"ask": "echo"}, NODE).by_node.keys() == {NODE}
        assert len(answering.asked) == 1

    def test_a_node_that_does_not_exist_neither_answers_nor_is_silent(
        self, calls: NodeCalls, answering: Answering
    ) -> None:
        answers = calls.ask({"ask": "echo"}, "another")
        assert (answers.by_node, answers.silent, answers.problem) == ({}, {}, None)
        assert not answering.asked

    @pytest.mark.parametrize("to", [None, NODE])
    def test_a_node_whose_answer_fails_is_silent(self, calls: NodeCalls, to: str | None) -> None:
        """The log has the reason."""
        answers = calls.ask({"ask": "break"}, to)
        assert not answers.by_node
        assert answers.silent.keys() == {NODE}
        assert calls.ask({"ask": "echo"}).by_node.keys() == {NODE}
