"""The node calls of a server that is the only one: implements the `NodeCalls` port."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from asf.domain.operations.ports import AnswerQuestion, Answers

logger = logging.getLogger(__name__)


class SingleNodeCalls:
    """Asks this node only, which is called `node`."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._answer: AnswerQuestion | None = None

    def connect(self, answer: AnswerQuestion) -> None:
        """Answer all questions with `answer`."""
        self._answer = answer

    def ask(self, question: Mapping[str, Any], to: str | None = None) -> Answers:
        """Ask this node, unless another one is to be asked. May yield."""
        assert self._answer is not None  # noqa: S101 - it is connected
        if to not in {None, self._node}:
            return Answers()
        started = time.monotonic()
        try:
            answer = self._answer(question)
        except Exception:
            logger.exception("Answering a question about this node failed")
            return Answers(silent={self._node: 0.0})
        return Answers({self._node: answer}, {self._node: time.monotonic() - started})
