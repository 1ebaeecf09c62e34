"""The latest UI updates of each client in Redis, which several servers share: implements the `UpdateLog` port.

The numbers are given by scripts, each of which Redis runs as one step: without gaps, over all servers. In the
same step an update is published to the servers that have subscribers to its client, also to that which it came to:
there is one order and one way for all, and what is kept is on its way, whether or not anybody waits for the answer.
Things grow old by Redis's clock, as those of several servers differ.

What another process of Redis has may be less than what was published (a snapshot, a file that was cut short): then
numbers would be given twice. So an epoch outlasts the process of Redis only where that writes down what it does
(`appendonly yes`), and only if no server knows of an update that is missing. One Redis, not a cluster of them.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from math import ceil
from typing import Any
from uuid import uuid4

import redis

from asf.adapters.redis_store.failures import details_of
from asf.adapters.redis_store.pubsub import RedisPubSub, SubscribeFailed
from asf.adapters.update_digest import digest_of
from asf.domain.errors import IdempotencyConflict, UiEmitFailed
from asf.domain.updates.update import EVERYTHING, AppendResult, Position, Recovery, SequencedUpdate, UiUpdate

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

BEAT_SECONDS = 3.0
"""How often a server says that it is there."""

LEASE_SECONDS = 10.0
"""After how long a server that says so no more has no subscribers any more."""

RETRY_SECONDS = 0.2
"""How long it takes until Redis is asked again for what was left out."""

COUNTS_SECONDS = 3600
TELL_AGAIN_SECONDS = 1200.0
"""How long Redis keeps the numbers of a client's subscribers, and how often each server tells its own again.

So nothing is left of clients whose servers all died.
"""

COUNTS_AT_ONCE = 250
"""Most clients whose subscribers are counted in one step."""

logger = logging.getLogger(__name__)

# The log is a hash: the process of Redis that wrote it last, how many updates had been appended at the end of each
# earlier one and are now, the epoch that clients begin in, how many bytes are kept, and the number and epoch of each
# client. What is lost of it is lost as a whole.
# The updates of a client are a list. An entry is its number among all, its bytes, when it was kept, and the update.
# The places of all updates are a sorted set: that number, bytes, time, and the list. A client in another epoch has
# another list. Entries of lists that are gone are found when it is their turn.
# Each client that has subscribers has a hash of how many each server has, with the version of that count in front:
# one that was overtaken is not taken. A server counts as long as there is a key with its name, its lease. Where Redis
# may have missed something of it, it takes another name, and whoever comes across the old one clears it away.
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
local run_of_log = redis.call('HGET', log, 'run')
local known_run, known_number = ARGV[6], tonumber(ARGV[7])

local function begin_anew()
    redis.call('UNLINK', log, places, clients)
    redis.call('HSET', log, 'run', run, 'epoch', fresh_epoch)
end

local function last_number()
    return tonumber(redis.call('HGET', log, 'appended') or 0)
end

if run_of_log ~= run then
    if run_of_log and string.find(redis.call('INFO', 'persistence'), 'aof_enabled:1', 1, true) then
        redis.call('HSET', log, 'run', run, 'end of ' .. run_of_log, last_number())
    else
        begin_anew()
    end
end
if known_run ~= run and known_number > tonumber(redis.call('HGET', log, 'end of ' .. known_run) or known_number) then
    begin_anew()
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

COUNTS = """
local function count_in(counts, lease_prefix)
    local found, sum = redis.call('HGETALL', counts), 0
    for i = 1, #found, 2 do
        if redis.call('EXISTS', lease_prefix .. found[i]) == 1 then
            sum = sum + tonumber(string.match(found[i + 1], '%d+$'))
        else
            redis.call('HDEL', counts, found[i])
        end
    end
    return sum
end

local function take_count(counts, seconds, server, version, count)
    local known = redis.call('HGET', counts, server)
    if known and tonumber(string.match(known, '^%d+')) >= tonumber(version) then
        return
    end
    if count == '0' then
        redis.call('HDEL', counts, server)
    else
        redis.pcall('HSET', counts, server, version .. ' ' .. count)  -- no reason to fail where memory is full
        redis.call('EXPIRE', counts, seconds)
    end
end
"""

APPEND = """
local payload, timestamp, digest = ARGV[8], ARGV[9], ARGV[10]
local key_seconds, list_seconds, overhead = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local copies = tonumber(ARGV[14])
local max_updates, max_bytes, max_clients = tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17])
local cleaning_steps, topic = tonumber(ARGV[18]), ARGV[19]
local counts, lease_prefix = KEYS[4], ARGV[20]
local key = KEYS[5]

local function count_subscribers(receivers)
    if receivers == 0 then
        return 0
    end
    return math.max(count_in(counts, lease_prefix), receivers)
end

if key then
    local earlier = redis.call('HMGET', key, 'digest', 'since', 'epoch', 'seq', 'timestamp')
    if earlier[1] and tonumber(earlier[2]) > now - key_seconds then
        if earlier[1] ~= digest then
            return {'conflict'}
        end
        local receivers = redis.call('PUBSUB', 'NUMSUB', topic)[2]
        return {'duplicate', earlier[3], earlier[4], earlier[5], count_subscribers(receivers), run, last_number()}
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
local place = seq .. ' ' .. number .. ' ' .. run .. ' ' .. epoch
local receivers = redis.call('PUBLISH', topic, place .. '\\n' .. payload)
return {'kept', epoch, seq, timestamp, count_subscribers(receivers), run, number}
"""

RECOVER = """
local since_epoch, since_seq = ARGV[8], ARGV[9]
local counts = KEYS[4]
local seconds, server, version, count = ARGV[10], ARGV[11], ARGV[12], ARGV[13]

if count ~= '0' then
    take_count(counts, seconds, server, version, count)
end

forget_what_is_too_old(name)
local oldest = seq - redis.call('LLEN', prefix .. name)  -- the place in front of the oldest that is kept
local from = nil
if since_seq == 'all' then
    from = oldest
elseif since_seq ~= '' and since_epoch == epoch then
    from = tonumber(since_seq)
end
if not from or from < oldest or from > seq then
    return {epoch, seq, 0, {}, run, last_number()}
end
return {epoch, seq, 1, redis.call('LRANGE', prefix .. name, from - oldest, -1), run, last_number()}
"""


COUNT = """
local lease_prefix, counts_prefix, server, earlier_name = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local milliseconds, seconds = ARGV[5], ARGV[6]

if earlier_name ~= '' then
    redis.call('UNLINK', lease_prefix .. earlier_name)
end
local was_there = redis.call('EXISTS', lease_prefix .. server)
redis.call('SET', lease_prefix .. server, '', 'PX', milliseconds)
for i = 7, #ARGV, 3 do
    local counts, version, count = counts_prefix .. ARGV[i], ARGV[i + 1], ARGV[i + 2]
    count_in(counts, lease_prefix)  -- clears away what dead servers left
    take_count(counts, seconds, server, version, count)
end
return was_there
"""


class _Followed:
    """A client that somebody here subscribed to: how many did, and whether it is decided that it is followed."""

    def __init__(self) -> None:
        self.subscribers = 1
        self.error: UiEmitFailed | None = None
        self.decided = threading.Event()


class RedisUpdateLog:
    """Keeps at most `max_updates` updates of each client, for at most `max_seconds`, in the Redis of `client`.

    That need not be there yet. Its keys begin with `prefix`. `make_epoch` returns another text at every call. What
    servers append is heard over `news`; `on_appended` is called by the thread that runs those. `run` is to be run by
    a thread, which calls `on_interrupted`.

    Every method raises `UiEmitFailed` where Redis is lost or takes too long. An update may have been kept, and
    published, then: only one with an idempotency key may be sent again without being published twice.

    With `by_callers_clock` things grow old by what callers say that the time is, rather than by Redis's clock: for
    one caller, in a time of its own.
    """

    def __init__(
        self,
        client: redis.Redis,
        news: RedisPubSub,
        max_updates: int,
        max_seconds: float,
        make_epoch: Callable[[], str],
        max_bytes: int = MAX_BYTES,
        max_clients: int = MAX_CLIENTS,
        prefix: str = PREFIX,
        *,
        by_callers_clock: bool = False,
    ) -> None:
        self._on_appended: Callable[[SequencedUpdate], object] = _ignore
        self._on_interrupted: Callable[[], object] = _nothing
        self._news = news
        self._max_seconds = max_seconds
        self._make_epoch = make_epoch
        self._prefix = prefix
        self._by_callers_clock = by_callers_clock
        self._keys = [prefix + name for name in ("log", "places", "clients")]
        # The latest number that is known to have been given, and the process of Redis that gave it.
        self._known: tuple[bytes, int] = (b"", 0)
        self._server = _make_name()
        self._lease_prefix = f"{prefix}server:"
        self._counts_prefix = f"{prefix}subscribers:"
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
        self._append = client.register_script(COMMON + COUNTS + APPEND)
        self._recover = client.register_script(COMMON + COUNTS + RECOVER)
        self._count = client.register_script(COUNTS + COUNT)
        self._followed: dict[str, _Followed] = {}
        self._versions = count(1)
        # The clients whose subscribers Redis has to be told the number of.
        self._changed: set[str] = set()
        # Whether Redis has all the others under the name of this server, and when it is told them again all the same.
        self._is_known = False
        self._tell_again_at = 0.0
        self._was_interrupted = False
        self._wake = threading.Event()
        self._closed = threading.Event()
        news.on_interrupted.append(self._interrupt)

    def connect(self, on_appended: Callable[[SequencedUpdate], object], on_interrupted: Callable[[], object]) -> None:
        """Set the listener: `on_appended` is called in the pub/sub reader, `on_interrupted` in `run`."""
        self._on_appended = on_appended
        self._on_interrupted = on_interrupted

    def append(self, update: UiUpdate, timestamp: float, now: float) -> AppendResult:
        """Keep `update` under the next number, unless it was kept before.

        Raises `IdempotencyConflict` or `UiEmitFailed`.
        """
        said = (update.client_id, update.event_name, update.data_json)
        keys = [*self._keys, self._counts_prefix + update.client_id]
        if update.idempotency_key is not None:
            keys.append(f"{self._prefix}key:{update.idempotency_key}")
        payload = json.dumps([update.event_name, update.data_json, timestamp])
        with _translated():
            answer = self._append(
                keys,
                [
                    *self._common(update.client_id, now),
                    payload,
                    repr(timestamp),
                    digest_of(said),
                    *self._bounds,
                    self._topic(update.client_id),
                    self._lease_prefix,
                ],
            )
        if answer[0] == b"conflict":
            raise IdempotencyConflict
        outcome, epoch, seq, kept_timestamp, subscribers, *known = answer
        self._know(*known)
        kept = SequencedUpdate(*said, epoch.decode(), int(seq), float(kept_timestamp))
        return AppendResult(kept, duplicate=outcome == b"duplicate", subscribers=subscribers, broadcasts=True)

    def recover(self, client_id: str, since: Position | None, now: float) -> Recovery:
        """Return the client's updates behind `since`, or none where some of those are no longer kept.

        Raises `UiEmitFailed`.
        """
        place: tuple[str, str | int] = ("", "")
        if since is not None:
            place = ("", "all") if since == EVERYTHING else (since.epoch, since.seq)
        keys = [*self._keys, self._counts_prefix + client_id]
        is_known, subscribers = self._is_known, self._subscribers_of(client_id)
        number: list[Any] = [COUNTS_SECONDS, self._server, next(self._versions), subscribers]
        try:
            with _translated():
                answer = self._recover(keys, [*self._common(client_id, now), *place, *number])
        except UiEmitFailed:
            # Redis may take the number nevertheless, later.
            self._changed.add(client_id)
            raise
        if not is_known or subscribers != self._subscribers_of(client_id):
            # It may have been cleared away as that of a dead server, or have come behind one that says none.
            self._changed.add(client_id)
        epoch, seq, recovered, entries, *known = answer
        self._know(*known)
        latest = Position(epoch.decode(), seq)
        first = latest.seq - len(entries) + 1
        updates = tuple(
            _update_of(client_id, Position(latest.epoch, seq), entry.split(b" ", 3)[3])
            for seq, entry in enumerate(entries, first)
        )
        return Recovery(latest, recovered=bool(recovered), updates=updates)

    def follow(self, client_id: str) -> None:
        """Take note of one more subscriber to the client. Raises `UiEmitFailed` where it cannot be followed."""
        followed = self._followed.get(client_id)
        if followed is not None:
            followed.subscribers += 1
            followed.decided.wait()
            if followed.error is not None:
                raise followed.error
            return
        followed = self._followed[client_id] = _Followed()
        try:
            self._news.follow(self._topic(client_id), partial(self._hear, client_id))
        except SubscribeFailed as error:
            del self._followed[client_id]
            followed.error = UiEmitFailed(str(error))
            raise followed.error from error
        finally:
            followed.decided.set()

    def unfollow(self, client_id: str) -> None:
        """Take note of one subscriber less."""
        followed = self._followed[client_id]
        followed.subscribers -= 1
        if not followed.subscribers:
            del self._followed[client_id]
            self._news.unfollow(self._topic(client_id))
        self._changed.add(client_id)
        self._wake.set()

    def run(self) -> None:
        """Tell Redis how many subscribers there are, and others what may have been left out; until `close`."""
        while not self._closed.is_set():
            self._wake.clear()
            pause = BEAT_SECONDS
            try:
                self._look_for_missed()
                self._beat()
            except UiEmitFailed:
                pause = RETRY_SECONDS
            except Exception:
                logger.exception("Looking for UI updates that were left out failed")
            self._wake.wait(pause)

    def close(self) -> None:
        """Let `run` end, within a second."""
        self._closed.set()
        self._wake.set()

    def _hear(self, client_id: str, message: bytes) -> None:
        place, _, payload = message.partition(b"\n")
        seq, number, run, epoch = place.split(b" ", 3)
        self._know(run, int(number))
        self._on_appended(_update_of(client_id, Position(epoch.decode(), int(seq)), payload))

    def _interrupt(self) -> None:
        self._was_interrupted = True
        self._wake.set()

    def _look_for_missed(self) -> None:
        if not self._was_interrupted:
            return
        self._was_interrupted = False
        self._is_known = False  # Redis may have forgotten everything.
        try:
            self._on_interrupted()
        except UiEmitFailed:
            self._was_interrupted = True
            raise

    def _beat(self) -> None:
        """Tell Redis that this server is there, and what it does not know."""
        changed, self._changed = self._changed, set()
        if time.monotonic() >= self._tell_again_at:
            changed.update(self._followed)
            self._tell_again_at = time.monotonic() + TELL_AGAIN_SECONDS
        try:
            if self._is_known:
                self._is_known = self._tell_numbers(changed)
            if not self._is_known:
                earlier_name, self._server = self._server, _make_name()
                self._tell_numbers(self._followed, earlier_name)
                self._is_known = True
        except UiEmitFailed:
            self._changed |= changed
            raise

    def _tell_numbers(self, client_ids: Collection[str], earlier_name: str = "") -> bool:
        """Tell Redis how many subscribers some clients have here; tell whether it knew of this server before.

        What it knows under an `earlier_name` does not count any more then.
        """
        told = list(client_ids)
        was_there = True
        for start in range(0, max(1, len(told)), COUNTS_AT_ONCE):
            arguments: list[Any] = []
            for client_id in told[start : start + COUNTS_AT_ONCE]:
                arguments += [client_id, next(self._versions), self._subscribers_of(client_id)]
            names = [self._lease_prefix, self._counts_prefix, self._server, earlier_name]
            with _translated():
                answer = self._count([], [*names, round(LEASE_SECONDS * 1000), COUNTS_SECONDS, *arguments])
            was_there = was_there and bool(answer)
        return was_there

    def _subscribers_of(self, client_id: str) -> int:
        followed = self._followed.get(client_id)
        return followed.subscribers if followed is not None else 0

    def _topic(self, client_id: str) -> str:
        return f"{self._prefix}news:{client_id}"

    def _know(self, run: bytes, number: int) -> None:
        """Take note of the number of the latest update, from an answer: those may overtake each other."""
        known_run, known_number = self._known
        self._known = (run, max(number, known_number) if run == known_run else number)

    def _common(self, client_id: str, now: float) -> list[Any]:
        bounds = [repr(self._max_seconds), repr(now) if self._by_callers_clock else ""]
        return [f"{self._prefix}updates:", self._make_epoch(), client_id, *bounds, *self._known]


@contextmanager
def _translated() -> Iterator[None]:
    """Raise `UiEmitFailed` for what goes wrong with Redis."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise UiEmitFailed(details_of(error)) from error


def _make_name() -> str:
    """Return a name that no server has had."""
    return uuid4().hex[:16]


def _ignore(_update: SequencedUpdate) -> None:
    pass


def _nothing() -> None:
    pass


def _update_of(client_id: str, place: Position, payload: bytes) -> SequencedUpdate:
    event_name, data_json, timestamp = json.loads(payload)
    return SequencedUpdate(client_id, event_name, data_json, place.epoch, place.seq, timestamp)
