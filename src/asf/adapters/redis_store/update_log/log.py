"""Implements the `UpdateLog` port with the history, the channels and the presence of a server in Redis."""

import logging
import threading
from collections.abc import Callable
from typing import ClassVar

import redis

from asf.adapters.redis_store import presence
from asf.adapters.redis_store.presence import Presence, Timing
from asf.adapters.redis_store.pubsub import RedisPubSub
from asf.adapters.redis_store.update_log.channels import Channels
from asf.adapters.redis_store.update_log.history import PREFIX, History, Limits
from asf.domain.errors import UiEmitFailed
from asf.domain.updates.update import AppendResult, Position, Recovery, SequencedUpdate, UiUpdate

RETRY_SECONDS = 0.2
"""Pause between attempts to recover missed updates, while Redis fails."""

logger = logging.getLogger(__name__)


class RedisUpdateLog:
    """Keeps updates within `limits` in the Redis of `client`.

    Redis need not be running yet. Keys start with `prefix`. `make_epoch` returns a new unique string. What servers
    append is received through `pubsub`, whose reader calls `on_appended`. A task must run `run`, which calls
    `on_interrupted`.

    Every method raises `UiEmitFailed` when Redis is unreachable or times out. The update may nevertheless have been
    kept and published: only one with an idempotency key can be sent again without being published twice.

    With `by_callers_clock` updates and keys expire by the times that callers pass, rather than by Redis's clock: for
    tests, in virtual time.
    """

    is_local: ClassVar = False

    def __init__(
        self,
        client: redis.Redis,
        pubsub: RedisPubSub,
        limits: Limits,
        make_epoch: Callable[[], str],
        prefix: str = PREFIX,
        timing: Timing | None = None,
        *,
        by_callers_clock: bool = False,
    ) -> None:
        self._timing = timing or presence.DEFAULT_TIMING
        self._pubsub = pubsub
        self._history = History(client, limits, make_epoch, prefix, by_callers_clock=by_callers_clock)
        self._channels = Channels(pubsub, f"{prefix}news:", self._receive)
        self._presence = Presence(
            client, f"{prefix}server:", f"{prefix}subscribers:", self._channels, self._timing, UiEmitFailed
        )
        self._on_appended: Callable[[SequencedUpdate], object] = _ignore
        self._on_interrupted: Callable[[], object] = _nothing_missed
        self._was_interrupted = False
        self._wake = threading.Event()
        self._closed = threading.Event()
        pubsub.on_interrupted.append(self._interrupt)

    def connect(self, on_appended: Callable[[SequencedUpdate], object], on_interrupted: Callable[[], object]) -> None:
        """Set the listener: `on_appended` is called in the pub/sub reader, `on_interrupted` in `run`."""
        self._on_appended = on_appended
        self._on_interrupted = on_interrupted

    def append(self, update: UiUpdate, timestamp: float, now: float) -> AppendResult:
        """Keep `update` under the next number, unless it was kept before.

        Raises `IdempotencyConflict` or `UiEmitFailed`.
        """
        channel, counts_key = self._channels.name_of(update.client_id), self._presence.counts_key(update.client_id)
        return self._history.append(update, timestamp, now, channel, counts_key, self._presence.lease_prefix)

    def recover(self, client_id: str, since: Position | None, now: float) -> Recovery:
        """Return the client's updates after `since`, or none if some of them are no longer kept.

        The same step stores the count of the client's subscribers. Raises `UiEmitFailed`.
        """
        report = self._presence.report(client_id)
        counts_key = self._presence.counts_key(client_id)
        try:
            recovery = self._history.recover(client_id, since, now, counts_key, report.arguments)
        except UiEmitFailed:
            self._presence.mark_changed(client_id)  # Redis may nevertheless store the count later.
            raise
        self._presence.sent(report)
        return recovery

    def follow(self, client_id: str) -> None:
        """Count one more subscriber of the client. Raises `UiEmitFailed` if its channel cannot be subscribed to."""
        self._channels.follow(client_id)

    def unfollow(self, client_id: str) -> None:
        """Count one subscriber fewer."""
        self._channels.unfollow(client_id)
        self._presence.mark_changed(client_id)
        self._wake.set()

    def run(self) -> None:
        """Send heartbeats, and recover missed updates, until `close`."""
        while not self._closed.is_set():
            self._wake.clear()
            pause = self._timing.heartbeat_seconds
            try:
                self._recover_missed()
                self._presence.send_heartbeat()
                self._pubsub.compare_run(self._presence.run_id)
            except UiEmitFailed:
                pause = RETRY_SECONDS
            except Exception:
                logger.exception("Recovering missed UI updates failed")
            self._wake.wait(pause)

    def close(self) -> None:
        """Make `run` return, within a second."""
        self._closed.set()
        self._wake.set()

    def _receive(self, client_id: str, message: bytes) -> None:
        self._on_appended(self._history.read(client_id, message))

    def _interrupt(self) -> None:
        self._was_interrupted = True
        self._wake.set()

    def _recover_missed(self) -> None:
        if not self._was_interrupted:
            return
        self._was_interrupted = False
        self._presence.mark_unknown()
        try:
            self._on_interrupted()
        except UiEmitFailed:
            self._was_interrupted = True
            raise


def _ignore(_update: SequencedUpdate) -> None:
    """No listener is connected."""


def _nothing_missed() -> None:
    """No listener is connected."""
