"""The latest UI updates of each client, in this process's memory: implements the `UpdateLog` port."""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from sys import getsizeof
from typing import ClassVar

from asf.domain.errors import IdempotencyConflict
from asf.domain.updates.idempotency import KEY_SECONDS, digest_of
from asf.domain.updates.update import EVERYTHING, AppendResult, Position, Recovery, SequencedUpdate, UiUpdate

MAX_BYTES = 64 * 1024 * 1024
"""Memory limit of all kept updates, in bytes. The oldest are evicted first."""

MAX_CLIENTS = 100_000
"""Maximum number of clients whose numbers are remembered."""

MAX_KEYS = 100_000
"""Maximum number of idempotency keys that are remembered; the oldest are evicted first."""

OVERHEAD_BYTES = 1300
"""Upper bound of an update's memory beside its strings, in bytes: that of a client's only update."""


@dataclass(slots=True)
class _Client:
    """The numbers and the kept updates of one client."""

    epoch: str
    seq: int = 0
    updates: deque[SequencedUpdate] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class _Remembered:
    """The position of an update with an idempotency key, a digest of its content, and when it was kept."""

    digest: bytes
    epoch: str
    seq: int
    timestamp: float
    since: float


class InMemoryUpdateLog:
    """Keeps at most `max_updates` updates of each client, for at most `max_seconds`.

    It is local to the process, ends with it, and never yields. `make_epoch` returns a new unique string at each call.
    `kept_bytes` is an upper bound of the memory that the updates take.
    """

    is_local: ClassVar = True

    def __init__(
        self, max_updates: int, max_seconds: float, make_epoch: Callable[[], str], max_bytes: int = MAX_BYTES
    ) -> None:
        self._max_updates = max_updates
        self._max_seconds = max_seconds
        self._make_epoch = make_epoch
        self._max_bytes = max_bytes
        # The client without an update for longest comes first.
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        # Epoch of new clients. It changes whenever a client's numbers are evicted, because that client may return.
        self._epoch = make_epoch()
        # All updates that are kept, the oldest first, by their positions: their client, and when they were kept.
        self._kept: OrderedDict[tuple[str, str, int], tuple[_Client, float]] = OrderedDict()
        self._keys: OrderedDict[str, _Remembered] = OrderedDict()
        self._subscribers: Counter[str] = Counter()
        self.kept_bytes = 0

    def connect(self, on_appended: Callable[[SequencedUpdate], object], on_interrupted: Callable[[], object]) -> None:
        """Call neither: only `append` adds updates to this log, and none is lost."""

    def append(self, update: UiUpdate, timestamp: float, now: float) -> AppendResult:
        """Store `update` under the next number, unless it was stored before. Raises `IdempotencyConflict`."""
        subscribers = self._subscribers[update.client_id]
        content = (update.client_id, update.event_name, update.data_json)
        self._expire_keys(now)
        earlier = self._keys.get(update.idempotency_key or "")
        if earlier is not None:
            if earlier.digest != digest_of(content):
                raise IdempotencyConflict
            kept = SequencedUpdate(*content, earlier.epoch, earlier.seq, earlier.timestamp)
            return AppendResult(kept, duplicate=True, subscribers=subscribers)
        client = self._client_to_write(update.client_id)
        client.seq += 1
        kept = SequencedUpdate(*content, client.epoch, client.seq, timestamp)
        client.updates.append(kept)
        self._kept[kept.client_id, kept.epoch, kept.seq] = (client, now)
        self.kept_bytes += _size_of(kept)
        if update.idempotency_key is not None:
            self._keys[update.idempotency_key] = _Remembered(digest_of(content), kept.epoch, kept.seq, timestamp, now)
            if len(self._keys) > MAX_KEYS:
                self._keys.popitem(last=False)
        while len(client.updates) > self._max_updates:
            self._evict_oldest(client)
        self._evict_updates(now)
        return AppendResult(kept, duplicate=False, subscribers=subscribers)

    def recover(self, client_id: str, since: Position | None, now: float) -> Recovery:
        """Return the client's updates after `since`, or none if some of them are no longer kept."""
        # A read takes no memory.
        client = self._clients.get(client_id) or _Client(self._epoch)
        self._evict_updates(now)
        latest = Position(client.epoch, client.seq)
        if since is None:
            return Recovery(latest, recovered=False, updates=())
        if since == EVERYTHING:
            return Recovery(latest, recovered=True, updates=tuple(client.updates))
        oldest = client.seq - len(client.updates)  # the position before the oldest that is kept
        if since.epoch != client.epoch or not oldest <= since.seq <= client.seq:
            return Recovery(latest, recovered=False, updates=())
        return Recovery(latest, recovered=True, updates=tuple(one for one in client.updates if one.seq > since.seq))

    def follow(self, client_id: str) -> None:
        """Count one more subscriber of the client."""
        self._subscribers[client_id] += 1

    def unfollow(self, client_id: str) -> None:
        """Count one subscriber fewer."""
        self._subscribers[client_id] -= 1
        if not self._subscribers[client_id]:
            del self._subscribers[client_id]

    def _client_to_write(self, client_id: str) -> _Client:
        client = self._clients.get(client_id)
        if client is not None:
            self._clients.move_to_end(client_id)
            return client
        client = self._clients[client_id] = _Client(self._epoch)
        if len(self._clients) > MAX_CLIENTS:
            _, forgotten = self._clients.popitem(last=False)
            self._epoch = self._make_epoch()
            while forgotten.updates:
                self._evict_oldest(forgotten)
        return client

    def _evict_updates(self, now: float) -> None:
        """Evict updates that have expired or exceed the memory limit."""
        while self._kept:
            client, since = next(iter(self._kept.values()))
            if self.kept_bytes <= self._max_bytes and since > now - self._max_seconds:
                return
            self._evict_oldest(client)

    def _evict_oldest(self, client: _Client) -> None:
        update = client.updates.popleft()
        del self._kept[update.client_id, update.epoch, update.seq]
        self.kept_bytes -= _size_of(update)

    def _expire_keys(self, now: float) -> None:
        keys = self._keys
        while keys and next(iter(keys.values())).since <= now - KEY_SECONDS:
            keys.popitem(last=False)


def _size_of(update: SequencedUpdate) -> int:
    return OVERHEAD_BYTES + sum(map(getsizeof, (update.client_id, update.event_name, update.data_json)))
