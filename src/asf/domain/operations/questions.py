"""The questions that nodes ask each other, and the answers of this node."""

from collections.abc import Callable, Mapping
from typing import Any

from asf.domain.errors import Disconnected
from asf.domain.operations.audiences import Audiences
from asf.domain.operations.directory import SessionDirectory
from asf.domain.operations.entries import Cursor, SessionFilter
from asf.domain.operations.ports import Json

STATUS, SESSIONS, AUDIENCES, END = "status", "sessions", "audiences", "end"
"""What can be asked: the value of `ask` in a question."""

NOTHING_BEFORE = (0, 0)
"""Behind which all entries are."""


def ask_for_status() -> Json:
    """Return the question how the node is."""
    return {"ask": STATUS}


def ask_for_sessions(wanted: SessionFilter, cursor: Cursor | None, limit: int) -> Json:
    """Return the question for the first `limit` entries behind the cursor."""
    after = None if cursor is None else [cursor.node, cursor.kind, cursor.number]
    return {"ask": SESSIONS, "after": after, "limit": limit, **wanted.as_json()}


def ask_for_audiences(after: str, limit: int) -> Json:
    """Return the question for the first `limit` streams that have listeners, behind the id `after`."""
    return {"ask": AUDIENCES, "after": after, "limit": limit}


def ask_to_end(session_id: str) -> Json:
    """Return the request to end a session."""
    return {"ask": END, "id": session_id}


class ThisNode:
    """Answers the questions about this node. `status` returns how it is."""

    def __init__(
        self, node: str, status: Callable[[], Json], directory: SessionDirectory, audiences: Audiences
    ) -> None:
        self._node = node
        self._status = status
        self._directory = directory
        self._audiences = audiences

    def answer(self, question: Mapping[str, Any]) -> Json:
        """Return the answer; empty for a question that a later version asks. May yield."""
        match question.get("ask"):
            case "status":
                return {"status": self._status()}
            case "sessions":
                return {"sessions": self._sessions(question)}
            case "audiences":
                return {"audiences": self._audiences.page(question["after"], question["limit"])}
            case "end":
                kind = self._directory.end(question["id"], Disconnected())
                return {"ended": kind}
            case _:
                return {}

    def _sessions(self, question: Mapping[str, Any]) -> list[Json]:
        after = NOTHING_BEFORE
        if question["after"] is not None:
            node, kind, number = question["after"]
            if self._node < node:
                return []
            after = (kind, number) if self._node == node else NOTHING_BEFORE
        page = self._directory.page(SessionFilter.of_json(question), after, question["limit"])
        return [entry.as_json() for entry in page]
