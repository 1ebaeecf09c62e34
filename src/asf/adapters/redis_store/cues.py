"""Cues in Redis, shared by several servers: implements the `CueStore` port."""

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

import redis

from asf.adapters.redis_store.failures import details_of
from asf.adapters.redis_store.lua import load_script
from asf.adapters.redis_store.pubsub import RedisPubSub
from asf.domain.cues.cue import Cue
from asf.domain.cues.track import CuePage, StoredCue, TrackLimits
from asf.domain.errors import CuesUnavailable, TooManyCues
from asf.domain.signal import Signal

PREFIX = "asf:1:cues:"
"""Prefix of all keys. The number is the version of the format: a later one does not touch it."""


class RedisCueStore:
    """Tracks under keys with the prefix `prefix`, in the Redis of `client`, which need not be running yet.

    All servers publish on one channel which track has new cues, and receive it through `pubsub`: a short message for
    each request that posts cues. Create the store before `pubsub` runs.
    """

    def __init__(self, client: redis.Redis, pubsub: RedisPubSub, prefix: str = PREFIX) -> None:
        self.on_appended: Signal[str, str] = Signal()
        self.on_interrupted: Signal[()] = Signal()
        self._client = client
        self._prefix = prefix
        self._channel = prefix + "news"
        self._append = client.register_script(load_script(__package__, "cues_append"))
        self._page = client.register_script(load_script(__package__, "cues_page"))
        pubsub.always_follow(self._channel, self._receive)
        pubsub.on_interrupted.append(self.on_interrupted)

    def append(self, stream_id: str, epoch: str, cues: Sequence[Cue], limits: TrackLimits) -> int:
        """Store all of `cues` or none, and return how many the track has. Raises `TooManyCues`."""
        message = json.dumps([stream_id, epoch])
        arguments: list[str | int] = [self._channel, message, epoch, limits.max_cues, limits.max_bytes]
        for cue in cues:
            arguments += ("" if cue.id is None else cue.id, cue.json)
        total: int = self._ask(
            self._append, [*self._keys(stream_id, epoch), self._key_of_epochs(stream_id)], arguments
        )
        if total < 0:
            raise TooManyCues.of(limits.max_cues)
        return total

    def page(self, stream_id: str, epoch: str, after: int, max_cues: int, max_bytes: int) -> CuePage:
        """Return the first cues above `after` within both limits, at least one."""
        order, cues, _, track = self._keys(stream_id, epoch)
        latest, *found = self._ask(self._page, [order, cues, track], [after, max_cues, max_bytes])
        pairs = zip(found[::2], found[1::2], strict=True)
        return CuePage(tuple(StoredCue(int(number), cue.decode()) for number, cue in pairs), int(latest))

    def select(self, stream_id: str, epoch: str, seqs: Sequence[int]) -> list[StoredCue]:
        """Return the cues with these numbers."""
        cues = self._keys(stream_id, epoch)[1]
        found = self._ask(self._client.hmget, cues, list(seqs)) if seqs else []
        pairs = zip(seqs, found, strict=True)
        return [StoredCue(seq, cue.decode()) for seq, cue in pairs if cue is not None]

    def epochs(self, stream_id: str) -> Collection[str]:
        """Return the epochs of the stream that have a track."""
        found: set[bytes] = self._ask(self._client.smembers, self._key_of_epochs(stream_id))
        return {epoch.decode() for epoch in found}

    def forget(self, stream_id: str, epochs: Collection[str]) -> None:
        """Delete the stream's tracks of these epochs. Redis frees their memory in the background."""
        for epoch in epochs:
            with self._client.pipeline() as transaction:  # `append` may come before or after, and not between.
                transaction.unlink(*self._keys(stream_id, epoch))
                transaction.srem(self._key_of_epochs(stream_id), epoch)
                self._ask(transaction.execute)

    def check(self) -> None:
        """Do nothing: the check of the catalog, in the same Redis, finds what is wrong."""

    def close(self) -> None:
        """Do nothing: the connections to Redis are not the store's own."""

    def _keys(self, stream_id: str, epoch: str) -> list[str]:
        return [f"{self._prefix}{name}:{epoch}:{stream_id}" for name in ("order", "cues", "ids", "track")]

    def _key_of_epochs(self, stream_id: str) -> str:
        return f"{self._prefix}epochs:{stream_id}"

    def _receive(self, message: bytes) -> None:
        stream_id, epoch = json.loads(message)
        self.on_appended(stream_id, epoch)

    def _ask(self, command: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return command(*arguments)
        except (redis.RedisError, OSError) as error:
            raise CuesUnavailable(details_of(error)) from error
