"""The listeners of several servers that share a Redis: implements the `ListenerCounts` port.

Each server reports the listeners of its streams as `presence` reports subscribers: a heartbeat renews its lease, and
the counts of one without a lease are ignored. The details of a count are what its listeners need, by epoch. A script
decides about events, so that each is reported by one server; a server that is killed right then takes it along.
"""

import json
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from math import ceil

import redis

from asf.adapters.redis_store import presence
from asf.adapters.redis_store.batches import batches
from asf.adapters.redis_store.lua import load_script
from asf.adapters.redis_store.lua_script import LuaScript
from asf.adapters.redis_store.presence import COUNTS_SCRIPT, Presence, Timing
from asf.adapters.redis_store.pubsub import RedisPubSub
from asf.domain.errors import CatalogUnavailable
from asf.domain.streaming import audience_changes
from asf.domain.streaming.audience import Audience, Demand
from asf.domain.streaming.audience_changes import AudienceEvent
from asf.domain.streaming.listener_counts import OnEvent

PREFIX = "asf:1:listeners:"
"""Prefix of all keys. The number is the version of the format: a later one does not touch it."""

LOOK_SECONDS = 5.0
"""Interval at which streams with listeners are looked at, because servers may stop without a word."""

MIN_PAUSE_SECONDS = 0.1
"""Shortest pause between two heartbeats: many streams may get their first listener in that time."""

RETRY_SECONDS = 1.0
"""Pause after Redis has failed."""

STREAMS_PER_SCRIPT = 250
"""Maximum number of streams that one script looks at."""

logger = logging.getLogger(__name__)


class RedisListenerCounts:
    """The counts of all servers in the Redis of `client`, which need not be running yet. Keys start with `prefix`.

    A stream has lost its last listener after `grace_seconds` without any (None: `GRACE_SECONDS`). When `pubsub` was
    interrupted, Redis may have lost what it was sent.
    """

    def __init__(
        self,
        client: redis.Redis,
        pubsub: RedisPubSub,
        prefix: str = PREFIX,
        timing: Timing | None = None,
        grace_seconds: float | None = None,
    ) -> None:
        self._timing = timing or presence.DEFAULT_TIMING
        self._presence = Presence(
            client, f"{prefix}server:", f"{prefix}counts:", self, self._timing, CatalogUnavailable
        )
        changes = COUNTS_SCRIPT + load_script(__package__, "audience_changes")
        self._find_changes = LuaScript(client, changes, CatalogUnavailable)
        self._changes_keys = [f"{prefix}listened", f"{prefix}deadlines"]
        self._grace_seconds = audience_changes.GRACE_SECONDS if grace_seconds is None else grace_seconds
        self._audience: Audience | None = None
        self._on_event: OnEvent | None = None
        # Streams whose counts were sent, and whose events have not been found out yet.
        self._unseen: dict[str, None] = {}
        self._wake = threading.Event()
        self._closed = threading.Event()
        pubsub.on_interrupted.append(self._interrupt)

    def connect(self, audience: Audience, on_event: OnEvent | None) -> None:
        """Count the listeners of `audience`, too."""
        self._audience = audience
        self._on_event = on_event
        audience.on_change.connect(self._note)

    def demand(self, stream_id: str, epoch: str) -> Demand:
        """Return what the listeners on all servers need of the audio of that epoch. Raises `CatalogUnavailable`."""
        others = self._presence.counts_of_others(stream_id)
        needs = self._own.needs(stream_id)
        for one in others:
            for its_epoch, until in _needs_in(one.details).items():
                needs[its_epoch] = max(needs.get(its_epoch, 0), until)
        return Demand.of(self._own.count(stream_id) + sum(one.number for one in others), needs, epoch)

    def run(self) -> None:
        """Send heartbeats, and report events, until `close`."""
        needs_due = time.monotonic()
        while not self._closed.is_set():
            self._wake.clear()
            is_due = time.monotonic() >= needs_due
            if is_due:
                needs_due = time.monotonic() + self._timing.heartbeat_seconds
            pause = needs_due - time.monotonic()
            try:
                self.share(with_needs=is_due)
                self.look()
            except CatalogUnavailable:
                pause = RETRY_SECONDS
            except Exception:
                logger.exception("Counting the listeners of all servers failed")
            self._closed.wait(MIN_PAUSE_SECONDS)
            self._wake.wait(max(0.0, pause))

    def share(self, *, with_needs: bool = True) -> None:
        """Send the counts of this server that others do not have, and what its listeners need by now.

        Finding the latter looks at all sessions: without `with_needs` only at those of streams whose counts are sent.
        """
        for stream_id in self._own.with_needs() if with_needs else ():
            self._presence.mark_changed(stream_id)
        self._unseen.update(dict.fromkeys(self._presence.send_heartbeat()))

    def look(self, now: float | None = None) -> None:
        """Report what has happened by now: by the clock of Redis, unless a test has its own time, in seconds."""
        if self._on_event is None:
            self._unseen.clear()
            return
        while True:
            some = next(batches(list(self._unseen), STREAMS_PER_SCRIPT), [])
            events, has_more = self._changes_of(some, now)
            for stream_id in some:
                del self._unseen[stream_id]
            for event, stream_id in events:
                self._report(event, stream_id)
            if not has_more and not self._unseen:
                return

    def close(self) -> None:
        """Make `run` return soon, and let the listeners of this server count no longer."""
        self._closed.set()
        self._wake.set()
        self._presence.leave()

    def subjects(self) -> list[str]:
        """Return the streams with listeners on this server."""
        return self._own.stream_ids()

    def count_of(self, subject: str) -> int:
        """Return how many listeners a stream has on this server."""
        return self._own.count(subject)

    def details_of(self, subject: str) -> str:
        """Return what the listeners of a stream need, by epoch, as JSON. May yield."""
        needs = self._own.needs(subject)
        return json.dumps(needs) if needs else ""

    @property
    def _own(self) -> Audience:
        assert self._audience is not None  # noqa: S101 - it is connected
        return self._audience

    def _note(self, stream_id: str) -> None:
        self._presence.mark_changed(stream_id)
        if self._own.count(stream_id) <= 1:  # Otherwise the next heartbeat is early enough.
            self._wake.set()

    def _interrupt(self) -> None:
        self._presence.mark_unknown()
        self._wake.set()

    def _changes_of(
        self, stream_ids: Iterable[str], now: float | None
    ) -> tuple[Iterator[tuple[AudienceEvent, str]], bool]:
        arguments = {
            "streams": list(stream_ids),
            "counts_prefix": self._presence.counts_prefix,
            "lease_prefix": self._presence.lease_prefix,
            "grace_seconds": self._grace_seconds,
            "look_seconds": LOOK_SECONDS,
            "keep_seconds": ceil(self._timing.counts_seconds),
            "limit": STREAMS_PER_SCRIPT,
        }
        if now is not None:
            arguments["now"] = now
        found, has_more = self._find_changes(self._changes_keys, arguments)
        names = [name.decode() for name in found]
        events = zip(map(AudienceEvent, names[::2]), names[1::2], strict=True)
        return events, bool(has_more)

    def _report(self, event: AudienceEvent, stream_id: str) -> None:
        assert self._on_event is not None  # noqa: S101 - `look` has checked it
        try:
            self._on_event(event, stream_id)
        except Exception:
            logger.exception("Reporting %s of stream %r failed", event, stream_id)


def _needs_in(details: str) -> dict[str, int]:
    needs: dict[str, int] = json.loads(details) if details else {}
    return needs
