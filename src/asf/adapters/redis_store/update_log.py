"""The latest UI updates of each client in Redis, which several servers share: implements the `UpdateLog` port.

The numbers are given by scripts, each of which Redis runs as one step: without gaps, over all servers. Things grow
old by Redis's clock, as those of several servers differ.

An epoch lasts no longer than the process of Redis. What a new process has may be less than what was published
(a snapshot, a replica that was behind): then numbers would be given twice. One Redis, not a cluster of them.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from math import ceil
from typing import Any

import redis

from asf.domain.errors import IdempotencyConflict, UiEmitFailed
from asf.domain.updates import EVERYTHING, Appended, Position, Recovery, SequencedUpdate, UiUpdate

PREFIX = "asf:1:ui:"
"""What all keys begin with. The number is the version of what is kept: a later one does not touch it."""

MAX_BYTES = 64 * 1024 * 1024
"""Most memory of Redis, in bytes, that all updates that are kept may take together. The oldest go first."""

MAX_CLIENTS = 100_000
"""Most clients whose numbers are remembered."""

KEY_SECONDS = 300
"""How long an idempotency key is remembered (docs/contract.md, section 2)."""

OVERHEAD_BYTES = 700
COPIES_OF_CLIENT_ID = 5
"""What an update takes beside its texts, at the most: that is when it is the only one of its client."""

CLEANING_STEPS = 1000
"""Most updates of others that are forgotten in one step. Redis does nothing else meanwhile; the rest has time."""

# The log is a hash: the process of Redis that it was begun in, the epoch that clients begin in, how many updates were
# appended, how many bytes are kept, and the number and epoch of each client. What is lost of it is lost as a whole.
# The updates of a client are a list. An entry is its number among all, its bytes, when it was kept, and the update.
# The places of all updates are a sorted set: that number, bytes, time, and the list. A client in another epoch has
# another list. Entries of lists that are gone are found when it is their turn.
COMMON = """
local log, places, clients = KEYS[1], KEYS[2], KEYS[3]
local prefix, fresh_epoch, client_id = ARGV[1], ARGV[2], ARGV[3]
local max_seconds = tonumber(ARGV[4])

local now_text = ARGV[5]
if now_text == '' then
    local time = redis.call('TIME')
    now_text = time[1] .. '.' .. string.format('%06d', time[2])
end
local now = tonumber(now_text)

local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
if redis.call('HGET', log, 'run') ~= run then
    redis.call('UNLINK', log, places, clients)
    redis.call('HSET', log, 'run', run, 'epoch', fresh_epoch)
end

local seq, epoch = 0, nil
local client = redis.call('HGET', log, 'client:' .. client_id)
if client then
    seq, epoch = string.match(client, '^(%d+) (.*)$')
    seq = tonumber(seq)
else
    epoch = redis.call('HGET', log, 'epoch')
end
local name = epoch .. ':' .. client_id

local function forget_oldest(name)
    local entry = redis.call('LPOP', prefix .. name)
    local number, bytes, since = string.match(entry, '^(%d+) (%d+) (%S+)')
    redis.call('ZREM', places, number .. ' ' .. bytes .. ' ' .. since .. ' ' .. name)
    redis.call('HINCRBY', log, 'bytes', -bytes)
end

local function is_too_old(since)
    return tonumber(since) <= now - max_seconds
end

local function forget_what_is_too_old(name)
    local head = redis.call('LINDEX', prefix .. name, 0)
    while head and is_too_old(string.match(head, '^%d+ %d+ (%S+)')) do
        forget_oldest(name)
        head = redis.call('LINDEX', prefix .. name, 0)
    end
end
"""

APPEND = """
local payload, timestamp, digest = ARGV[6], ARGV[7], ARGV[8]
local key_seconds, list_seconds, overhead = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local copies = tonumber(ARGV[12])
local max_updates, max_bytes, max_clients = tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])
local cleaning_steps = tonumber(ARGV[16])
local key = KEYS[4]

if key then
    local earlier = redis.call('HMGET', key, 'digest', 'since', 'epoch', 'seq', 'timestamp')
    if earlier[1] and tonumber(earlier[2]) > now - key_seconds then
        if earlier[1] ~= digest then
            return {'conflict'}
        end
        return {'duplicate', earlier[3], earlier[4], earlier[5]}
    end
end

seq = seq + 1
local number = redis.call('HINCRBY', log, 'appended', 1)
local bytes = overhead + #payload + copies * #client_id
redis.call('HSET', log, 'client:' .. client_id, seq .. ' ' .. epoch)
redis.call('RPUSH', prefix .. name, number .. ' ' .. bytes .. ' ' .. now_text .. ' ' .. payload)
redis.call('EXPIRE', prefix .. name, list_seconds)
redis.call('ZADD', places, number, number .. ' ' .. bytes .. ' ' .. now_text .. ' ' .. name)
redis.call('ZADD', clients, number, client_id)
local kept_bytes = redis.call('HINCRBY', log, 'bytes', bytes)
if key then
    redis.call('HSET', key, 'digest', digest, 'since', now_text, 'epoch', epoch, 'seq', seq, 'timestamp', timestamp)
    redis.call('EXPIRE', key, key_seconds)
end

if redis.call('ZCARD', clients) > max_clients then
    local forgotten = redis.call('ZPOPMIN', clients)[1]
    local its_epoch = string.match(redis.call('HGET', log, 'client:' .. forgotten), '^%d+ (.*)$')
    redis.call('UNLINK', prefix .. its_epoch .. ':' .. forgotten)
    redis.call('HDEL', log, 'client:' .. forgotten)
    redis.call('HSET', log, 'epoch', fresh_epoch)
end

while redis.call('LLEN', prefix .. name) > max_updates do
    forget_oldest(name)
end
forget_what_is_too_old(name)
for _ = 1, cleaning_steps do
    local first = redis.call('ZRANGE', places, 0, 0)[1]
    if not first then
        redis.call('HSET', log, 'bytes', 0)
        break
    end
    local its_number, its_bytes, since, its_name = string.match(first, '^(%d+) (%d+) (%S+) (.*)$')
    if tonumber(redis.call('HGET', log, 'bytes')) <= max_bytes and not is_too_old(since) then
        break
    end
    local head = redis.call('LINDEX', prefix .. its_name, 0)
    if head and string.match(head, '^%d+') == its_number then
        forget_oldest(its_name)
    else
        redis.call('ZREM', places, first)
        redis.call('HINCRBY', log, 'bytes', -its_bytes)
    end
end
return {'kept', epoch, seq, timestamp}
"""

RECOVER = """
local since_epoch, since_seq = ARGV[6], ARGV[7]

forget_what_is_too_old(name)
local oldest = seq - redis.call('LLEN', prefix .. name)  -- the place in front of the oldest that is kept
local from = nil
if since_seq == 'all' then
    from = oldest
elseif since_seq ~= '' and since_epoch == epoch then
    from = tonumber(since_seq)
end
if not from or from < oldest or from > seq then
    return {epoch, seq, 0, {}}
end
return {epoch, seq, 1, redis.call('LRANGE', prefix .. name, from - oldest, -1)}
"""


class RedisUpdateLog:
    """Keeps at most `max_updates` updates of each client, for at most `max_seconds`, in the Redis of `client`.

    That need not be there yet. Its keys begin with `prefix`. `make_epoch` returns another text at every call.

    Every method raises `UiEmitFailed` where Redis is lost or takes too long. An update may have been kept then: only
    one with an idempotency key may be sent again without being published twice.

    With `by_callers_clock` things grow old by what callers say that the time is, rather than by Redis's clock: for
    one caller, in a time of its own.
    """

    def __init__(
        self,
        client: redis.Redis,
        max_updates: int,
        max_seconds: float,
        make_epoch: Callable[[], str],
        max_bytes: int = MAX_BYTES,
        max_clients: int = MAX_CLIENTS,
        prefix: str = PREFIX,
        *,
        by_callers_clock: bool = False,
    ) -> None:
        self._max_seconds = max_seconds
        self._make_epoch = make_epoch
        self._prefix = prefix
        self._by_callers_clock = by_callers_clock
        self._keys = [prefix + name for name in ("log", "places", "clients")]
        self._bounds = [
            KEY_SECONDS,
            ceil(max_seconds),
            OVERHEAD_BYTES,
            COPIES_OF_CLIENT_ID,
            max_updates,
            max_bytes,
            max_clients,
            CLEANING_STEPS,
        ]
        self._append = client.register_script(COMMON + APPEND)
        self._recover = client.register_script(COMMON + RECOVER)

    def append(self, update: UiUpdate, timestamp: float, now: float) -> Appended:
        """Keep `update` under the next number, unless it was kept before.

        Raises `IdempotencyConflict` or `UiEmitFailed`.
        """
        said = (update.client_id, update.event_name, update.data_json)
        keys = self._keys
        if update.idempotency_key is not None:
            keys = [*keys, f"{self._prefix}key:{update.idempotency_key}"]
        payload = json.dumps([update.event_name, update.data_json, timestamp])
        with _translated():
            answer = self._append(
                keys,
                [*self._common(update.client_id, now), payload, repr(timestamp), _digest_of(said), *self._bounds],
            )
        if answer[0] == b"conflict":
            raise IdempotencyConflict
        outcome, epoch, seq, kept_timestamp = answer
        kept = SequencedUpdate(*said, epoch.decode(), int(seq), float(kept_timestamp))
        return Appended(kept, duplicate=outcome == b"duplicate")

    def recover(self, client_id: str, since: Position | None, now: float) -> Recovery:
        """Return the client's updates behind `since`, or none where some of those are no longer kept.

        Raises `UiEmitFailed`.
        """
        place: tuple[str, str | int] = ("", "")
        if since is not None:
            place = ("", "all") if since == EVERYTHING else (since.epoch, since.seq)
        with _translated():
            answer = self._recover(self._keys, [*self._common(client_id, now), *place])
        latest = Position(answer[0].decode(), answer[1])
        entries: Sequence[bytes] = answer[3]
        first = latest.seq - len(entries) + 1
        updates = tuple(
            _update_of(client_id, Position(latest.epoch, seq), entry) for seq, entry in enumerate(entries, first)
        )
        return Recovery(latest, recovered=bool(answer[2]), updates=updates)

    def _common(self, client_id: str, now: float) -> list[Any]:
        time = repr(now) if self._by_callers_clock else ""
        return [f"{self._prefix}updates:", self._make_epoch(), client_id, repr(self._max_seconds), time]


@contextmanager
def _translated() -> Iterator[None]:
    """Raise `UiEmitFailed` for what goes wrong with Redis."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise UiEmitFailed(f"Redis: {error}.") from error


def _update_of(client_id: str, place: Position, entry: bytes) -> SequencedUpdate:
    event_name, data_json, timestamp = json.loads(entry.split(b" ", 3)[3])
    return SequencedUpdate(client_id, event_name, data_json, place.epoch, place.seq, timestamp)


def _digest_of(said: tuple[str, str, str]) -> bytes:
    return blake2b(repr(said).encode(), digest_size=16).digest()
