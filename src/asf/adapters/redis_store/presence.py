"""Reports counts of this server to Redis: a lease for the server, and a count for each subject.

Subjects are the clients whose subscribers are counted, or the streams whose listeners are.
"""

import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

import redis

from asf.adapters.redis_store.lua import load_script
from asf.adapters.redis_store.lua_script import LuaScript
from asf.domain.errors import AsfError

COUNTS_PER_SCRIPT = 250
"""Maximum number of subjects whose counts one script stores."""

COUNTS_SCRIPT = load_script(__package__, "presence_counts")
"""The functions that read and store counts, for scripts that do so in the same step as something else."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Heartbeat and lease times, in seconds.

    A server sends a heartbeat every `heartbeat_seconds`; the counts of one without a heartbeat for `lease_seconds`
    are ignored. Redis keeps the counts of a subject for `counts_seconds` after the latest of them, and each server
    sends its own again every `refresh_seconds`: so nothing remains of subjects whose servers have all stopped.
    """

    heartbeat_seconds: float = 3.0
    lease_seconds: float = 10.0
    counts_seconds: int = 3600
    refresh_seconds: float = 1200.0


DEFAULT_TIMING = Timing()


class Counted(Protocol):
    """What is counted on this server."""

    def subjects(self) -> list[str]:
        """Return the subjects with a count."""
        ...

    def count_of(self, subject: str) -> int:
        """Return the count of a subject; 0 for one without."""
        ...

    def details_of(self, subject: str) -> str:
        """Return what others are to know besides the count, without line ends; may be empty. May yield."""
        ...


class ServerCount(NamedTuple):
    """The count of one subject on one server, and its details."""

    number: int
    details: str


@dataclass(frozen=True, slots=True)
class Report:
    """A count that is sent along with another command; `was_known` if Redis had the lease of the server then."""

    subject: str
    count: int
    was_known: bool
    arguments: dict[str, Any]


class Presence:
    """The lease of this server, and its counts of what is `counted`.

    The names of the keys are a prefix and the name of the server or the subject. Failures of Redis are raised as
    `error`.
    """

    def __init__(
        self,
        client: redis.Redis,
        lease_prefix: str,
        counts_prefix: str,
        counted: Counted,
        timing: Timing,
        error: type[AsfError],
    ) -> None:
        self.lease_prefix = lease_prefix
        self.counts_prefix = counts_prefix
        self._client = client
        self._counted = counted
        self._timing = timing
        self._error = error
        self._heartbeat = LuaScript(client, COUNTS_SCRIPT + load_script(__package__, "presence_heartbeat"), error)
        self._read = LuaScript(client, COUNTS_SCRIPT + load_script(__package__, "presence_read"), error)
        self._server = _make_name()
        # The Redis process that has received the latest heartbeat; empty before the first one.
        self.run_id = ""
        self._versions = count(1)
        # The subjects whose count Redis does not have.
        self._changed: set[str] = set()
        # Whether Redis has all other counts under the name of this server, and when they are sent again nevertheless.
        self._is_known = False
        self._refresh_at = 0.0

    def counts_key(self, subject: str) -> str:
        """Return the key of the counts of a subject."""
        return self.counts_prefix + subject

    def counts_of_others(self, subject: str) -> list[ServerCount]:
        """Return the counts of a subject on the other servers, as of their latest heartbeat. Raises the `error`."""
        found = self._read([self.counts_key(subject)], {"lease_prefix": self.lease_prefix})
        own = self._server.encode()
        return [ServerCount(int(number), details.decode()) for server, number, details in found if server != own]

    def report(self, subject: str) -> Report:
        """Return the count of a subject here, to be sent along. Call `sent` or `mark_changed` after."""
        found = self._counted.count_of(subject)
        arguments = {
            "counts_seconds": self._timing.counts_seconds,
            "server": self._server,
            "version": next(self._versions),
            "count": found,
        }
        return Report(subject, found, self._is_known, arguments)

    def sent(self, report: Report) -> None:
        """Record that Redis has a count, unless that may have been removed, or has changed since."""
        # It may have been removed as that of a stopped server, or have arrived after a later count of 0.
        if not report.was_known or report.count != self._counted.count_of(report.subject):
            self.mark_changed(report.subject)

    def mark_changed(self, subject: str) -> None:
        """Send the count of a subject with the next heartbeat."""
        self._changed.add(subject)

    def mark_unknown(self) -> None:
        """Send everything with the next heartbeat: Redis may have lost it."""
        self._is_known = False

    def send_heartbeat(self) -> list[str]:
        """Renew the lease, and send the counts that Redis does not have. Returns their subjects.

        May yield. Raises the `error`.
        """
        changed, self._changed = self._changed, set()
        if time.monotonic() >= self._refresh_at:
            changed.update(self._counted.subjects())
            self._refresh_at = time.monotonic() + self._timing.refresh_seconds
        try:
            if self._is_known:
                self._is_known = self._send(changed)
            if not self._is_known:
                changed.update(self._counted.subjects())
                earlier_server, self._server = self._server, _make_name()
                self._send(changed, earlier_server)
                self._is_known = True
        except self._error:
            self._changed |= changed
            raise
        return list(changed)

    def leave(self) -> None:
        """Give up the lease: the counts of this server are no longer included. Raises nothing."""
        with suppress(redis.RedisError, OSError):  # Then it expires.
            self._client.unlink(self.lease_prefix + self._server)

    def _send(self, subjects: Collection[str], earlier_server: str | None = None) -> bool:
        """Renew the lease, and send the counts of some subjects. Returns whether the lease was still there.

        Counts under the name `earlier_server` are no longer included then.
        """
        rest = list(subjects)
        was_there = True
        for start in range(0, max(1, len(rest)), COUNTS_PER_SCRIPT):
            arguments: dict[str, Any] = {
                "lease_prefix": self.lease_prefix,
                "lease_milliseconds": round(self._timing.lease_seconds * 1000),
                "counts_prefix": self.counts_prefix,
                "counts_seconds": self._timing.counts_seconds,
                "server": self._server,
                "counts": [self._entry(subject) for subject in rest[start : start + COUNTS_PER_SCRIPT]],
            }
            if earlier_server is not None:
                arguments["earlier_server"] = earlier_server
            was_known, run_id = self._heartbeat([], arguments)
            self.run_id = run_id.decode()
            was_there = bool(was_known) and was_there
        return was_there

    def _entry(self, subject: str) -> dict[str, Any]:
        details = self._counted.details_of(subject)  # May yield: so the count is read after it.
        return {
            "subject": subject,
            "version": next(self._versions),
            "count": self._counted.count_of(subject),
            "details": details,
        }


def _make_name() -> str:
    """Return a new unique name."""
    return uuid4().hex[:16]
