"""The one connection over which a process follows all queues of audio that it has open."""

from collections.abc import Mapping, Sequence
from typing import Any

import redis

from asf.adapters.redis_store.queue_entries import BEFORE_ALL, Piece, piece_of

BLOCK_MILLISECONDS = 100
"""How long Redis holds a read back for which there is nothing. It bounds how long a change of the queues to be read
goes unnoticed where `nudge` comes too early or too late."""

ANSWER_SECONDS = 1.0
"""How long Redis may take to answer, beyond that. A wait that was cut short does no harm: the read is done again."""

ENTRIES_PER_READ = 64
"""Most entries that one read of all queues returns, unless there are more queues than that."""

HEADS_AT_ONCE = 50
"""Most queues that are looked at in one step. Redis does nothing else meanwhile, and first entries may be long."""

CONNECTION_NAME = "asf-audio-queues"
"""What the connection is called in `CLIENT LIST`."""

# The first entry of each queue, as `Piece.mark` has it; '!' and what is wrong where a key is no stream.
HEADS = """
local heads = {}
for number, key in ipairs(KEYS) do
    local found = redis.pcall('XRANGE', key, '-', '+', 'COUNT', 1)
    if found.err then
        heads[number] = '!' .. found.err
    elseif #found == 0 then
        heads[number] = ''
    else
        local fields, audio = found[1][2], ''
        for place = 1, #fields, 2 do
            if fields[place] == 'audio' then
                audio = fields[place + 1]
            end
        end
        heads[number] = found[1][1] .. ' ' .. redis.sha1hex(audio)
    end
end
return heads
"""

# For each queue, whether it has the entry of that id.
HAVE = """
local have = {}
for number, key in ipairs(KEYS) do
    local found = redis.pcall('XRANGE', key, ARGV[number], ARGV[number])
    have[number] = #found
end
return have
"""


class QueueReader:
    """Reads many queues at once, for one green thread. `client` says where Redis is; it is asked nothing itself.

    The methods that read raise `redis.RedisError` or `OSError` where Redis is lost. Then `disconnect`, and try again.
    """

    def __init__(self, client: redis.Redis) -> None:
        pool = client.connection_pool
        options = pool.connection_kwargs | {
            "socket_timeout": BLOCK_MILLISECONDS / 1000 + ANSWER_SECONDS,
            "client_name": CONNECTION_NAME,
        }
        self._client = client
        self._connection = pool.connection_class(**options)
        self._client_id: int | None = None

    def read(self, last_ids: Mapping[bytes, bytes]) -> dict[bytes, list[Piece]]:
        """Return what each queue has behind the entry that was read last, and wait a moment where none has any."""
        count = max(1, ENTRIES_PER_READ // len(last_ids))
        answer = self._ask(
            "XREAD", "COUNT", count, "BLOCK", BLOCK_MILLISECONDS, "STREAMS", *last_ids, *last_ids.values()
        )
        return {key: [_piece_of(*entry) for entry in entries] for key, entries in answer or []}

    def heads(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the mark of each queue's first entry: empty where there is none, `!` and an error for other keys."""
        heads: dict[bytes, bytes] = {}
        for start in range(0, len(keys), HEADS_AT_ONCE):
            some = keys[start : start + HEADS_AT_ONCE]
            heads |= zip(some, self._ask("EVAL", HEADS, len(some), *some), strict=True)
        return heads

    def lost_ends(self, last_ids: Mapping[bytes, bytes]) -> list[bytes]:
        """Return the queues that no longer have the entry that was read last."""
        read = [(key, last_id) for key, last_id in last_ids.items() if last_id != BEFORE_ALL]
        lost: list[bytes] = []
        for start in range(0, len(read), HEADS_AT_ONCE):
            keys, ids = zip(*read[start : start + HEADS_AT_ONCE], strict=True)
            have = self._ask("EVAL", HAVE, len(keys), *keys, *ids)
            lost += [key for key, is_there in zip(keys, have, strict=True) if not is_there]
        return lost

    def nudge(self) -> None:
        """Let a `read` of another green thread, which may be under way, return at once."""
        client_id = self._client_id
        if client_id is not None:
            self._client.client_unblock(client_id)

    def disconnect(self) -> None:
        """Close the connection. The next read opens another."""
        self._client_id = None
        self._connection.disconnect()

    def _ask(self, *command: Any) -> Any:
        connection = self._connection
        if self._client_id is None:
            connection.connect()
            connection.send_command("CLIENT", "ID")
            self._client_id = connection.read_response()
        connection.send_command(*command)
        return connection.read_response()


def _piece_of(entry_id: bytes, fields: Sequence[bytes]) -> Piece:
    return piece_of(entry_id, dict(zip(fields[::2], fields[1::2], strict=True)))
