"""What operators ask and do, on all nodes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from asf.domain.operations import audiences, questions
from asf.domain.operations.entries import Cursor, Kind, SessionFilter
from asf.domain.operations.ports import Answers, Json, NodeCalls

Position = TypeVar("Position")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What else is known of a question: the nodes that did not answer, and a problem, as in `Answers`."""

    silent: Mapping[str, float]
    problem: str | None

    @property
    def is_complete(self) -> bool:
        """Whether all nodes have answered."""
        return not self.silent and self.problem is None


@dataclass(frozen=True, slots=True)
class Page(Generic[Position]):
    """Some entries, in order. `next_position` is that of the last one if there are more, else None."""

    entries: list[Json]
    next_position: Position | None
    outcome: Outcome


class Operations:
    """Asks the nodes of the cluster. No method raises because a node does not answer: it is named instead.

    Every method may yield, and returns within two seconds.
    """

    def __init__(self, calls: NodeCalls) -> None:
        self._calls = calls

    def nodes(self) -> tuple[list[Json], Outcome]:
        """Return how each node is, ordered by name, with `answer_seconds`: how long its answer took."""
        answers = self._calls.ask(questions.ask_for_status())
        statuses = [
            answer["status"] | {"answer_seconds": round(answers.seconds[node], 4)}
            for node, answer in sorted(answers.by_node.items())
            if "status" in answer
        ]
        return statuses, _outcome_of(answers)

    def sessions(
        self, wanted: SessionFilter, cursor: Cursor | None, limit: int, node: str | None = None
    ) -> Page[Cursor]:
        """Return the first `limit` entries behind the cursor, of one node or of all, ordered by node."""
        answers = self._calls.ask(questions.ask_for_sessions(wanted, cursor, limit + 1), node)
        found: list[Json] = []
        for name in sorted(answers.by_node):
            found += answers.by_node[name].get("sessions", ())
            if len(found) > limit:
                break
        page = found[:limit]
        next_cursor = Cursor.of_entry(page[-1]) if len(found) > limit else None
        return Page(page, next_cursor, _outcome_of(answers))

    def audiences(self, after: str, limit: int) -> Page[str]:
        """Return the first `limit` streams that have listeners, behind the id `after`, ordered by id."""
        answers = self._calls.ask(questions.ask_for_audiences(after, limit + 1))
        pages: dict[str, Any] = {node: answer.get("audiences", ()) for node, answer in answers.by_node.items()}
        found = audiences.merged(pages, limit + 1)
        page = found[:limit]
        return Page(page, page[-1]["stream_id"] if len(found) > limit else None, _outcome_of(answers))

    def end(self, session_id: str) -> tuple[str, Kind] | Outcome:
        """End a session. Returns its node and kind, or, if none has it, which nodes were asked in vain."""
        answers = self._calls.ask(questions.ask_to_end(session_id))
        for node, answer in answers.by_node.items():
            if answer.get("ended") is not None:
                return node, Kind(answer["ended"])
        return _outcome_of(answers)


def _outcome_of(answers: Answers) -> Outcome:
    return Outcome(answers.silent, answers.problem)
