"""The node calls of several servers that share a Redis: implements the `NodeCalls` port.

A question is published on a channel that all nodes follow, each answer on a channel of the node that has asked. The
register says which nodes there are, so that those that do not answer are named.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from secrets import token_hex
from typing import Any

import redis

from asf.adapters.redis_store.failures import details_of
from asf.adapters.redis_store.node_register import LEASE_SECONDS, NodeRegister
from asf.adapters.redis_store.pubsub import RedisPubSub
from asf.domain.errors import CatalogUnavailable
from asf.domain.operations.ports import AnswerQuestion, Answers, Json

PREFIX = "asf:1:nodes"
"""Prefix of the key and the channels. The number is the version of the format: a later one does not touch them."""

ANSWER_SECONDS = 1.5
"""How long nodes have for an answer."""

MAX_ANSWERS_AT_ONCE = 32
"""Maximum questions that this node answers at the same time. Further ones are not answered."""

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Largest answer that is sent to another node."""

logger = logging.getLogger(__name__)


class RedisNodeCalls:
    """Asks the nodes that share the Redis of `client`; this one is called `node`.

    `spawn` runs work in a task of its own. A task must run `run`, and another one that of `pubsub`. A question takes
    `answer_seconds` at most (None: `ANSWER_SECONDS`), besides a command of Redis that times out.
    """

    def __init__(
        self,
        client: redis.Redis,
        pubsub: RedisPubSub,
        node: str,
        spawn: Callable[[Callable[[], object]], object],
        prefix: str = PREFIX,
        answer_seconds: float | None = None,
    ) -> None:
        self.register = NodeRegister(client, node, prefix)
        self._client = client
        self._node = node
        self._spawn = spawn
        self._prefix = prefix
        self._answer_seconds = ANSWER_SECONDS if answer_seconds is None else answer_seconds
        self._answer: AnswerQuestion | None = None
        self._answering = 0
        self._asked: dict[str, _Asked] = {}
        pubsub.always_follow(f"{prefix}:questions", self._receive_question)
        pubsub.always_follow(f"{prefix}:answers:{node}", self._receive_answer)

    def connect(self, answer: AnswerQuestion) -> None:
        """Answer all questions about this node with `answer`."""
        self._answer = answer

    def ask(self, question: Mapping[str, Any], to: str | None = None) -> Answers:
        """Ask all nodes, or only `to`. May yield."""
        started = time.monotonic()
        asked = _Asked(started)
        if to == self._node:
            self._answer_myself(question, asked)
            return asked.answers({self._node: 0.0}, None)
        number = token_hex(8)
        self._asked[number] = asked
        try:
            nodes, problem = self._send(number, question, to)
            if to is None:
                self._answer_myself(question, asked)
                nodes = {**nodes, self._node: 0.0}
            else:
                nodes = {node: age for node, age in nodes.items() if node == to}
            expected = {node for node, age in nodes.items() if age <= LEASE_SECONDS and node != self._node}
            asked.wait_for(expected, started + self._answer_seconds)
        finally:
            del self._asked[number]
        return asked.answers(nodes, problem)

    def run(self) -> None:
        """Register this node, until `close`."""
        self.register.run()

    def close(self) -> None:
        """Make `run` return, and remove this node from the register. May yield. Raises nothing."""
        self.register.close()

    def _send(
        self, number: str, question: Mapping[str, Any], to: str | None
    ) -> tuple[Mapping[str, float], str | None]:
        """Send a question to the others. Returns all nodes with their ages, and why some could not be asked."""
        message = {"number": number, "from": self._node, "to": to, "question": question}
        try:
            nodes = self.register.nodes()
            self._client.publish(f"{self._prefix}:questions", json.dumps(message))
        except CatalogUnavailable as error:
            return {}, error.details
        except (redis.RedisError, OSError) as error:
            return {}, details_of(error)
        return nodes, None

    def _answer_myself(self, question: Mapping[str, Any], asked: "_Asked") -> None:
        answer = self._answer_of(question)
        if answer is not None:
            asked.add(self._node, answer)

    def _answer_of(self, question: Mapping[str, Any]) -> Json | None:
        assert self._answer is not None  # noqa: S101 - it is connected
        try:
            return self._answer(question)
        except Exception:
            logger.exception("Answering a question about this node failed")
            return None

    def _receive_question(self, payload: bytes) -> None:
        message = json.loads(payload)
        is_for_us = message["to"] in {None, self._node} and message["from"] != self._node
        if is_for_us and self._answer is not None and self._answering < MAX_ANSWERS_AT_ONCE:
            self._answering += 1
            self._spawn(partial(self._reply, message))

    def _reply(self, message: Mapping[str, Any]) -> None:
        try:
            answer = self._answer_of(message["question"])
            if answer is None:
                return
            reply = json.dumps(
                {"number": message["number"], "node": self._node, "answer": answer}, ensure_ascii=False
            )
            if len(reply) > MAX_ANSWER_BYTES:
                logger.warning("An answer to another node is too long: %d characters", len(reply))
                return
            self._client.publish(f"{self._prefix}:answers:{message['from']}", reply.encode(errors="replace"))
        except (redis.RedisError, OSError) as error:
            details_of(error)  # Logs it. The other node names this one as silent.
        finally:
            self._answering -= 1

    def _receive_answer(self, payload: bytes) -> None:
        message = json.loads(payload)
        asked = self._asked.get(message["number"])
        if asked is not None:  # Else it comes too late.
            asked.add(message["node"], message["answer"])


class _Asked:
    """A question that was asked at `started` (monotonic seconds), and its answers so far."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._answers: dict[str, Json] = {}
        self._seconds: dict[str, float] = {}
        self._expected: set[str] | None = None
        self._has_all = threading.Event()

    def add(self, node: str, answer: Json) -> None:
        """Take an answer."""
        self._answers[node] = answer
        self._seconds[node] = time.monotonic() - self._started
        if self._expected is not None and self._expected <= self._answers.keys():
            self._has_all.set()

    def wait_for(self, nodes: set[str], deadline: float) -> None:
        """Wait until these nodes have answered, but not beyond `deadline` (monotonic seconds)."""
        self._expected = nodes
        if not nodes <= self._answers.keys():
            self._has_all.wait(max(0.0, deadline - time.monotonic()))

    def answers(self, nodes: Mapping[str, float], problem: str | None) -> Answers:
        """Return the answers; `nodes` are those that were asked, with their ages."""
        silent = {node: age for node, age in nodes.items() if node not in self._answers}
        return Answers(dict(self._answers), dict(self._seconds), silent, problem)
