"""The history of each client's updates in Redis: numbers, updates and idempotency keys."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import redis

from asf.adapters.redis_store.lua import load_script
from asf.adapters.redis_store.lua_script import LuaScript
from asf.adapters.redis_store.presence import COUNTS_SCRIPT
from asf.domain.errors import IdempotencyConflict, UiEmitFailed
from asf.domain.updates.idempotency import KEY_SECONDS, digest_of
from asf.domain.updates.update import EVERYTHING, AppendResult, Position, Recovery, SequencedUpdate, UiUpdate

PREFIX = "asf:1:ui:"
"""Prefix of all keys. The number is the version of the format: a later version does not touch it."""

MAX_BYTES = 64 * 1024 * 1024
"""Memory limit of all kept updates in Redis, in bytes. The oldest are evicted first."""

MAX_CLIENTS = 100_000
"""Maximum number of clients whose numbers are remembered."""

OVERHEAD_BYTES = 700
COPIES_OF_CLIENT_ID = 5
"""Upper bound of an update's memory besides its strings: the case of a client's only update."""

MAX_EVICTIONS_PER_SCRIPT = 1000
"""Keeps each script short, as Redis does nothing else meanwhile; later calls evict the remainder."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept: `max_updates` of each client, for `max_seconds`, `max_bytes` and `max_clients` in total."""

    max_updates: int
    max_seconds: float
    max_bytes: int = MAX_BYTES
    max_clients: int = MAX_CLIENTS


class History:
    """The updates within `limits`, under keys with the prefix `prefix`. Every method raises `UiEmitFailed`.

    `make_epoch` returns a new unique string. With `by_callers_clock` updates and keys expire by the times that
    callers pass, rather than by Redis's clock: for tests, in virtual time.
    """

    def __init__(
        self,
        client: redis.Redis,
        limits: Limits,
        make_epoch: Callable[[], str],
        prefix: str,
        *,
        by_callers_clock: bool,
    ) -> None:
        self._make_epoch = make_epoch
        self._prefix = prefix
        self._by_callers_clock = by_callers_clock
        self._keys = [prefix + name for name in ("log", "places", "clients")]
        # The latest number that is known to have been assigned, and the Redis process that assigned it.
        self._known: tuple[str, int] = ("", 0)
        self._common = {"updates_prefix": f"{prefix}updates:", "max_seconds": limits.max_seconds}
        self._bounds = {
            "key_seconds": KEY_SECONDS,
            "updates_seconds": ceil(limits.max_seconds),
            "overhead_bytes": OVERHEAD_BYTES,
            "client_id_copies": COPIES_OF_CLIENT_ID,
            "max_updates": limits.max_updates,
            "max_bytes": limits.max_bytes,
            "max_clients": limits.max_clients,
            "max_evictions": MAX_EVICTIONS_PER_SCRIPT,
        }
        self._append = LuaScript(client, _source_of("append"), UiEmitFailed)
        self._recover = LuaScript(client, _source_of("recover"), UiEmitFailed)

    def append(
        self, update: UiUpdate, timestamp: float, now: float, channel: str, counts_key: str, lease_prefix: str
    ) -> AppendResult:
        """Keep `update` under the next number, unless it was kept before, and publish it on `channel`.

        `counts_key` and `lease_prefix` say where the subscribers of the client are counted. Raises
        `IdempotencyConflict`.
        """
        content = (update.client_id, update.event_name, update.data_json)
        keys = [*self._keys, counts_key]
        if update.idempotency_key is not None:
            keys.append(f"{self._prefix}key:{update.idempotency_key}")
        arguments = {
            **self._arguments(update.client_id, now),
            **self._bounds,
            "timestamp": repr(timestamp),
            "channel": channel,
            "lease_prefix": lease_prefix,
        }
        payload = json.dumps([update.event_name, update.data_json, timestamp])
        reply = self._append(keys, arguments, payload, digest_of(content))
        if reply[0] == b"conflict":
            raise IdempotencyConflict
        outcome, epoch, seq, kept_timestamp, subscribers, *known = reply
        self._know(*known)
        kept = SequencedUpdate(*content, epoch.decode(), int(seq), float(kept_timestamp))
        return AppendResult(kept, duplicate=outcome == b"duplicate", subscribers=subscribers, is_broadcast=True)

    def recover(
        self, client_id: str, since: Position | None, now: float, counts_key: str, count: Mapping[str, Any]
    ) -> Recovery:
        """Return the client's updates after `since`, or none if some of them are no longer kept.

        The same step stores the `count` of this server's subscribers at `counts_key`.
        """
        arguments = {**self._arguments(client_id, now), **count}
        if since == EVERYTHING:
            arguments["everything"] = True
        elif since is not None:
            arguments |= {"since_epoch": since.epoch, "since_seq": since.seq}
        epoch, seq, recovered, entries, *known = self._recover([*self._keys, counts_key], arguments)
        self._know(*known)
        latest = Position(epoch.decode(), seq)
        first = latest.seq - len(entries) + 1
        updates = tuple(
            _update_of(client_id, Position(latest.epoch, seq), entry.split(b" ", 3)[3])
            for seq, entry in enumerate(entries, first)
        )
        return Recovery(latest, recovered=bool(recovered), updates=updates)

    def read(self, client_id: str, message: bytes) -> SequencedUpdate:
        """Return the update in a message from the channel of the client."""
        position, _, payload = message.partition(b"\n")
        seq, number, run, epoch = position.split(b" ", 3)
        self._know(run, int(number))
        return _update_of(client_id, Position(epoch.decode(), int(seq)), payload)

    def _arguments(self, client_id: str, now: float) -> dict[str, Any]:
        known_run, known_number = self._known
        arguments = {
            **self._common,
            "client_id": client_id,
            "fresh_epoch": self._make_epoch(),
            "known_run": known_run,
            "known_number": known_number,
        }
        if self._by_callers_clock:
            arguments["now"] = repr(now)
        return arguments

    def _know(self, run: bytes, number: int) -> None:
        """Record the number of the latest update, from a reply or a message: they may overtake each other."""
        known_run, known_number = self._known
        self._known = (run.decode(), max(number, known_number) if run.decode() == known_run else number)


def _source_of(name: str) -> str:
    """Return the source of one of the history's scripts."""
    return load_script(__package__, "common") + COUNTS_SCRIPT + load_script(__package__, name)


def _update_of(client_id: str, position: Position, payload: bytes) -> SequencedUpdate:
    event_name, data_json, timestamp = json.loads(payload)
    return SequencedUpdate(client_id, event_name, data_json, position.epoch, position.seq, timestamp)
