"""What operations need from outside: how nodes ask each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Json = dict[str, Any]
"""A JSON object."""

AnswerQuestion = Callable[[Mapping[str, Any]], Json]
"""Answers a question about this node. May yield."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to one question.

    `by_node` has the answer of each node that has answered, and `seconds` how long that took. `silent` has the nodes
    that have not, each with the seconds since its last heartbeat. `problem` says, for humans, why other nodes could
    not be asked; None if they could.
    """

    by_node: dict[str, Json] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    silent: dict[str, float] = field(default_factory=dict)
    problem: str | None = None


class NodeCalls(Protocol):
    """Asks the nodes of the cluster, this one included. Questions and answers are JSON objects."""

    def connect(self, answer: AnswerQuestion) -> None:
        """Answer all questions about this node with `answer`. Call it once, before all other methods."""
        ...

    def ask(self, question: Mapping[str, Any], to: str | None = None) -> Answers:
        """Ask all nodes, or only `to`. May yield. Raises nothing.

        Returns within two seconds, however many nodes do not answer. A node whose answer fails counts as silent.
        There is no answer of a node that does not exist.
        """
        ...
