"""How this node is, for operators."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asf.adapters.runtime import Event, Runtime
from asf.domain.clock import Clock
from asf.domain.errors import CatalogUnavailable

CHECK_SECONDS = 0.5
"""How long a check of what the node depends on may take. A slow disk must not keep the node from answering."""


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """Who this node is. `node` and `tag`, a part of it, are unique.

    `worker` is the number of a worker process, None without workers.
    """

    node: str
    tag: str
    host: str
    pid: int
    worker: int | None
    version: str


class BoundedCheck:
    """Finds out in a task of its own what `check` returns, and waits for it a bounded time."""

    def __init__(
        self, check: Callable[[], Sequence[object]], runtime: Runtime, seconds: float = CHECK_SECONDS
    ) -> None:
        self._check = check
        self._runtime = runtime
        self._seconds = seconds
        self._under_way: Event | None = None
        self._latest: list[str] = []

    def __call__(self) -> list[str]:
        """Return the result as texts; a text that says so if it is not known in time. May yield."""
        under_way = self._under_way
        if under_way is None:
            under_way = self._under_way = self._runtime.make_event()
            self._runtime.spawn(self._run)
        if under_way.wait(self._seconds):
            return self._latest
        return ["readiness: It is not known in time."]

    def _run(self) -> None:
        under_way = self._under_way
        try:
            self._latest = [str(one) for one in self._check()]
        finally:
            self._under_way = None
            if under_way is not None:
                under_way.set()


class NodeStatus:
    """Reads the status of this node from the parts that know it.

    `counts` are the numbers in it, by name. By error code, `joins_rejected` counts, and `latest_rejections` returns
    how many seconds ago the latest was. `longest_turn` returns the seconds of the longest recent turn of the event
    loop. `ping` waits for a sign of life from Redis, or raises `CatalogUnavailable`; None without Redis.
    """

    def __init__(
        self,
        identity: NodeIdentity,
        clock: Clock,
        is_draining: Callable[[], bool],
        problems: BoundedCheck,
        counts: Mapping[str, Callable[[], int]],
        joins_rejected: Callable[[], Mapping[str, int]],
        latest_rejections: Callable[[], Mapping[str, float]],
        longest_turn: Callable[[], float | None],
        ping: Callable[[], object] | None,
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._is_draining = is_draining
        self._problems = problems
        self._counts = counts
        self._joins_rejected = joins_rejected
        self._latest_rejections = latest_rejections
        self._longest_turn = longest_turn
        self._ping = ping
        self._started = clock.now()

    def read(self) -> dict[str, Any]:
        """Return the status as a JSON object. May yield."""
        identity = self._identity
        problems, redis = self._problems(), self._redis()
        return {
            "node": identity.node,
            "host": identity.host,
            "pid": identity.pid,
            "worker": identity.worker,
            "version": identity.version,
            "uptime_seconds": round(self._clock.now() - self._started, 1),
            "state": "draining" if self._is_draining() else "not_ready" if problems else "ready",
            "problems": problems,
            **{name: read() for name, read in self._counts.items()},
            "joins_rejected": dict(self._joins_rejected()),
            "latest_rejections": dict(self._latest_rejections()),
            "longest_turn_seconds": self._longest_turn(),
            "redis": redis,
        }

    def _redis(self) -> dict[str, Any] | None:
        if self._ping is None:
            return None
        started = time.monotonic()
        try:
            self._ping()
        except CatalogUnavailable as error:
            return {"connected": False, "latency_seconds": None, "problem": error.details}
        return {"connected": True, "latency_seconds": round(time.monotonic() - started, 5), "problem": None}
