"""Storage of what outlives a session: in the server's own process, or in a Redis that several servers share."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from asf.adapters import realtime_api
from asf.adapters.blocking_calls import BlockingCalls
from asf.adapters.database_lock import DatabaseInUse, DatabaseLock
from asf.adapters.media_types import media_type_of
from asf.adapters.memory_listener_counts import InMemoryListenerCounts
from asf.adapters.memory_node_calls import SingleNodeCalls
from asf.adapters.memory_update_log import InMemoryUpdateLog
from asf.adapters.prometheus import Reading, gauges
from asf.adapters.runtime import Runtime
from asf.adapters.sqlite_catalog import IN_MEMORY, SqliteCatalogStore
from asf.adapters.sqlite_cues import SUFFIX as CUES_SUFFIX
from asf.adapters.sqlite_cues import SqliteCueStore, failure_of
from asf.adapters.workers.catalog_changes import CatalogChanges
from asf.adapters.workers.seat import Seat
from asf.domain.clock import Clock
from asf.domain.cues.ports import CueStore
from asf.domain.operations.ports import NodeCalls
from asf.domain.streaming.listener_counts import ListenerCounts
from asf.domain.streaming.ports import AudioSources
from asf.domain.streams.ports import CatalogStore
from asf.domain.updates.ports import UpdateLog
from asf.domain.uploads.ports import UploadSpool
from asf.settings import Settings, SettingsError


@dataclass(frozen=True, slots=True)
class Storage:
    """The adapters of one kind of storage. `background` functions run as long as the server, each in its own task."""

    name: str
    """As `/asf/ready` names it."""
    catalog_store: CatalogStore
    update_log: UpdateLog
    cue_store: CueStore
    listener_counts: ListenerCounts
    audio_queues: AudioSources | None
    """None where `queue:` cannot be announced."""
    message_queue: Any
    """Flask-SocketIO's, through which other processes can emit; None if there is none."""
    gauge: Reading
    node_calls: NodeCalls
    ping: Callable[[], object] | None = None
    """Asks the store for a sign of life; raises `CatalogUnavailable`. None where it is in this process."""
    leave: Callable[[], object] | None = None
    """Takes this node out of the register of nodes, if there is one."""
    upload_queues: UploadSpool | None = None
    """None where audio cannot be uploaded to queues."""
    background: tuple[Callable[[], object], ...] = ()
    lock: DatabaseLock | None = None
    """None where several servers, or none, use the database."""

    def close(self) -> None:
        """Close the catalog and the cues, and let another server use their databases. Safe to repeat."""
        self.catalog_store.close()
        self.cue_store.close()
        if self.lock is not None:
            self.lock.release()


def create_storage(
    settings: Settings, runtime: Runtime, clock: Clock, node: str = "node", seat: Seat | None = None
) -> Storage:
    """Return storage in Redis if ASF_REDIS_URL is set, else in this server alone, which is called `node`.

    With `seat` this is one of several workers. Raises `CatalogUnavailable`, and `SettingsError` if another server is
    using the database.
    """
    if settings.redis_url:
        return _redis(settings, runtime, node, seat)
    return _local(settings, runtime, clock, node)


def make_epoch() -> str:
    """Return a new unique string."""
    return secrets.token_urlsafe(9)


def create_cue_store(database: str, runtime: Runtime) -> SqliteCueStore:
    """Return the cues of a server alone, beside its database."""
    return SqliteCueStore(_beside(database, CUES_SUFFIX), BlockingCalls(runtime, failure_of).run)


def _local(settings: Settings, runtime: Runtime, clock: Clock, node: str) -> Storage:
    lock = _locked(settings.database)
    try:
        store = SqliteCatalogStore(settings.database)
    except BaseException:
        if lock is not None:
            lock.release()
        raise
    counts = InMemoryListenerCounts(clock)
    log = InMemoryUpdateLog(settings.ui_history_size, settings.ui_history_seconds, make_epoch)
    return Storage(
        name="catalog",
        catalog_store=store,
        update_log=log,
        cue_store=create_cue_store(settings.database, runtime),
        listener_counts=counts,
        node_calls=SingleNodeCalls(node),
        audio_queues=None,
        message_queue=None,
        gauge=gauges.reading_of_history(lambda: log.kept_bytes),
        background=(counts.run,),
        lock=lock,
    )


def _beside(database: str, suffix: str) -> str:
    """Return the path of a further database, which is as durable as `database`."""
    return database if database == IN_MEMORY else database + suffix


def _locked(database: str) -> DatabaseLock | None:
    if database == IN_MEMORY:
        return None
    try:
        return DatabaseLock(database)
    except DatabaseInUse as error:
        by = f"another server ({error.holder})" if error.holder else "another server"
        line = (
            f"ASF_DATABASE '{database}' is in use by {by}. Stop that server, or set another ASF_DATABASE. "
            "To run several servers as one, set ASF_REDIS_URL."
        )
        raise SettingsError([line]) from error


def _redis(settings: Settings, runtime: Runtime, node: str, seat: Seat | None) -> Storage:
    # The extra `redis` is needed here only.
    from asf.adapters.redis_store.catalog import RedisCatalogStore  # noqa: PLC0415
    from asf.adapters.redis_store.connection import connect, ping, tasks_of  # noqa: PLC0415
    from asf.adapters.redis_store.cues import RedisCueStore  # noqa: PLC0415
    from asf.adapters.redis_store.listener_counts import RedisListenerCounts  # noqa: PLC0415
    from asf.adapters.redis_store.node_calls import RedisNodeCalls  # noqa: PLC0415
    from asf.adapters.redis_store.pubsub import RedisPubSub  # noqa: PLC0415
    from asf.adapters.redis_store.queues.sources import RedisAudioQueues  # noqa: PLC0415
    from asf.adapters.redis_store.recent_streams import RecentStreams  # noqa: PLC0415
    from asf.adapters.redis_store.update_log import Limits, RedisUpdateLog  # noqa: PLC0415
    from asf.adapters.redis_store.uploads import QueueUploadSpool  # noqa: PLC0415

    client = connect(settings.redis_url)
    pubsub = RedisPubSub(client)
    limits = Limits(settings.ui_history_size, settings.ui_history_seconds)
    message_queue = realtime_api.MessageQueue(client.publish)
    pubsub.always_follow(realtime_api.MESSAGE_QUEUE_CHANNEL, message_queue.receive)
    log = RedisUpdateLog(client, pubsub, limits, make_epoch)
    counts = RedisListenerCounts(client, pubsub)
    node_calls = RedisNodeCalls(client, pubsub, node, runtime.spawn)
    # Only the workers write to a Redis of their own.
    recent = RecentStreams(CatalogChanges(seat)) if seat is not None and settings.redis_is_private else None
    catalog_store = RedisCatalogStore(client, pubsub, recent=recent)
    return Storage(
        name="redis",
        catalog_store=catalog_store,
        update_log=log,
        cue_store=RedisCueStore(client, pubsub),
        listener_counts=counts,
        node_calls=node_calls,
        ping=partial(ping, client),
        leave=node_calls.close,
        audio_queues=RedisAudioQueues(client, runtime.spawn, media_type_of),
        message_queue=message_queue,
        upload_queues=QueueUploadSpool(client, settings.upload_total_bytes),
        gauge=gauges.reading_of_redis(lambda: pubsub.is_connected),
        background=(pubsub.run, log.run, counts.run, node_calls.run, *tasks_of(client)),
    )
