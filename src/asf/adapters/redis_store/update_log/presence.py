"""Reports the subscribers of this server to Redis: a lease for the server, and a count for each client."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

import redis

from asf.adapters.redis_store.update_log.channels import Channels
from asf.adapters.redis_store.update_log.script import LuaScript
from asf.domain.errors import UiEmitFailed

COUNTS_PER_SCRIPT = 250
"""Maximum number of clients whose subscribers are counted by one script."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Heartbeat and lease times, in seconds.

    A server sends a heartbeat every `heartbeat_seconds`; the counts of one without a heartbeat for `lease_seconds`
    are ignored. Redis keeps the counts of a client for `counts_seconds` after the latest of them, and each server
    sends its own again every `refresh_seconds`: so nothing remains of clients whose servers have all stopped.
    """

    heartbeat_seconds: float = 3.0
    lease_seconds: float = 10.0
    counts_seconds: int = 3600
    refresh_seconds: float = 1200.0


DEFAULT_TIMING = Timing()


@dataclass(frozen=True, slots=True)
class Report:
    """A count that is sent along with another command; `was_known` if Redis had the lease of the server then."""

    client_id: str
    count: int
    was_known: bool
    arguments: dict[str, Any]


class Presence:
    """The lease and the counts of this server, under keys with the prefix `prefix`."""

    def __init__(self, client: redis.Redis, prefix: str, channels: Channels, timing: Timing) -> None:
        self.lease_prefix = f"{prefix}server:"
        self._counts_prefix = f"{prefix}subscribers:"
        self._channels = channels
        self._timing = timing
        self._script = LuaScript(client, "counts", "heartbeat")
        self._server = _make_name()
        # The Redis process that has received the latest heartbeat; empty before the first one.
        self.run_id = ""
        self._versions = count(1)
        # The clients whose count Redis does not have.
        self._changed: set[str] = set()
        # Whether Redis has all other counts under the name of this server, and when they are sent again nevertheless.
        self._is_known = False
        self._refresh_at = 0.0

    def counts_key(self, client_id: str) -> str:
        """Return the key of the counts of a client."""
        return self._counts_prefix + client_id

    def report(self, client_id: str) -> Report:
        """Return the count of a client's subscribers here, to be sent along. Call `sent` or `mark_changed` after."""
        subscribers = self._channels.subscribers_of(client_id)
        arguments = {
            "counts_seconds": self._timing.counts_seconds,
            "server": self._server,
            "version": next(self._versions),
            "count": subscribers,
        }
        return Report(client_id, subscribers, self._is_known, arguments)

    def sent(self, report: Report) -> None:
        """Record that Redis has a count, unless that may have been removed, or has changed since."""
        # It may have been removed as that of a stopped server, or have arrived after a later count of 0.
        if not report.was_known or report.count != self._channels.subscribers_of(report.client_id):
            self.mark_changed(report.client_id)

    def mark_changed(self, client_id: str) -> None:
        """Send the count of a client with the next heartbeat."""
        self._changed.add(client_id)

    def mark_unknown(self) -> None:
        """Send everything with the next heartbeat: Redis may have lost it."""
        self._is_known = False

    def send_heartbeat(self) -> None:
        """Renew the lease, and send the counts that Redis does not have. Raises `UiEmitFailed`."""
        changed, self._changed = self._changed, set()
        if time.monotonic() >= self._refresh_at:
            changed.update(self._channels.client_ids())
            self._refresh_at = time.monotonic() + self._timing.refresh_seconds
        try:
            if self._is_known:
                self._is_known = self._send(changed)
            if not self._is_known:
                earlier_server, self._server = self._server, _make_name()
                self._send(self._channels.client_ids(), earlier_server)
                self._is_known = True
        except UiEmitFailed:
            self._changed |= changed
            raise

    def _send(self, client_ids: Collection[str], earlier_server: str | None = None) -> bool:
        """Renew the lease, and send the counts of some clients. Returns whether the lease was still there.

        Counts under the name `earlier_server` are no longer included then.
        """
        rest = list(client_ids)
        was_there = True
        for start in range(0, max(1, len(rest)), COUNTS_PER_SCRIPT):
            arguments: dict[str, Any] = {
                "lease_prefix": self.lease_prefix,
                "lease_milliseconds": round(self._timing.lease_seconds * 1000),
                "counts_prefix": self._counts_prefix,
                "counts_seconds": self._timing.counts_seconds,
                "server": self._server,
                "counts": [
                    {
                        "client_id": client_id,
                        "version": next(self._versions),
                        "count": self._channels.subscribers_of(client_id),
                    }
                    for client_id in rest[start : start + COUNTS_PER_SCRIPT]
                ],
            }
            if earlier_server is not None:
                arguments["earlier_server"] = earlier_server
            was_known, run_id = self._script([], arguments)
            self.run_id = run_id.decode()
            was_there = bool(was_known) and was_there
        return was_there


def _make_name() -> str:
    """Return a new unique name."""
    return uuid4().hex[:16]
