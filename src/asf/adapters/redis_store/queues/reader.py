"""The connection over which a process follows all audio queues that it has open."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redis

from asf.adapters.redis_store.batches import batches
from asf.adapters.redis_store.dedicated_connection import DedicatedConnection
from asf.adapters.redis_store.lua import load_script
from asf.adapters.redis_store.queues.entries import BEFORE_ALL, Piece, piece_of

BLOCK_MILLISECONDS = 100
"""How long Redis holds back a read when there are no new entries. It bounds how late a queue is added to the
reads when `nudge` comes too early or too late."""

RESPONSE_SECONDS = 1.0
"""Timeout of the response beyond that. A timeout does no harm: the read is repeated."""

ENTRIES_PER_READ = 64
"""Maximum number of entries that one read of all queues returns, unless there are more queues than that."""

HEADS_AT_ONCE = 50
"""Maximum number of queues per script call. Redis runs nothing else meanwhile, and first entries may be long."""

CONNECTION_NAME = "asf-audio-queues"
"""Name of the connection in `CLIENT LIST`."""


class QueueReader:
    """Reads many queues at once, for one task. `client` only provides the address and sends the `nudge`.

    Methods that read raise `redis.RedisError` or `OSError` when Redis is unreachable: `disconnect`, then retry.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._connection = DedicatedConnection(
            client, socket_timeout=BLOCK_MILLISECONDS / 1000 + RESPONSE_SECONDS, client_name=CONNECTION_NAME
        )
        self._client_id: int | None = None
        self._marks_script = load_script(__package__, "marks")

    def read(self, last_ids: Mapping[bytes, bytes]) -> dict[bytes, list[Piece]]:
        """Return the entries of each queue after the one that was read last. Waits a moment when there are none."""
        count = max(1, ENTRIES_PER_READ // len(last_ids))
        reply = self._ask(
            "XREAD", "COUNT", count, "BLOCK", BLOCK_MILLISECONDS, "STREAMS", *last_ids, *last_ids.values()
        )
        return {key: [_piece_of(*entry) for entry in entries] for key, entries in reply or []}

    def heads(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the mark of each queue's first entry: empty if there is none, `!` and an error for other keys."""
        return dict(zip(keys, self._marks((key, b"-", b"+") for key in keys), strict=True))

    def lost_ends(self, last_ids: Mapping[bytes, bytes]) -> list[bytes]:
        """Return the queues that no longer have the entry that was read last."""
        read = {key: last_id for key, last_id in last_ids.items() if last_id != BEFORE_ALL}
        marks = self._marks((key, last_id, last_id) for key, last_id in read.items())
        return [key for key, mark in zip(read, marks, strict=True) if not mark or mark.startswith(b"!")]

    def nudge(self) -> None:
        """Make a `read` that is running in another task return at once."""
        client_id = self._client_id
        if client_id is not None:
            self._client.client_unblock(client_id)

    def disconnect(self) -> None:
        """Close the connection. The next read opens it again."""
        self._client_id = None
        self._connection.disconnect()

    def _marks(self, ranges: Iterable[tuple[bytes, bytes, bytes]]) -> list[bytes]:
        """Return the mark of the first entry in each range of a queue: key, first and last id."""
        marks: list[bytes] = []
        for some in batches(ranges, HEADS_AT_ONCE):
            keys = [key for key, _, _ in some]
            ids = [entry_id for _, *both in some for entry_id in both]
            marks += self._ask("EVAL", self._marks_script, len(keys), *keys, *ids)
        return marks

    def _ask(self, *command: Any) -> Any:
        if problem := self._connection.problem:
            self.disconnect()
            raise redis.ConnectionError(problem)
        if self._client_id is None:
            self._connection.connect()
            self._client_id = self._connection.ask("CLIENT", "ID")
        return self._connection.ask(*command)


def _piece_of(entry_id: bytes, fields: Sequence[bytes]) -> Piece:
    return piece_of(entry_id, dict(zip(fields[::2], fields[1::2], strict=True)))
