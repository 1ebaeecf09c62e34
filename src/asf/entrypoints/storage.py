"""Storage of what outlives a session: in the server's own process, or in a Redis that several servers share."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asf.adapters import realtime_api
from asf.adapters.database_lock import DatabaseInUse, DatabaseLock
from asf.adapters.media_types import media_type_of
from asf.adapters.memory_update_log import InMemoryUpdateLog
from asf.adapters.prometheus import Reading, gauges
from asf.adapters.runtime import Runtime
from asf.adapters.sqlite_catalog import IN_MEMORY, SqliteCatalogStore
from asf.domain.streaming.ports import AudioSources
from asf.domain.streams.ports import CatalogStore
from asf.domain.updates.ports import UpdateLog
from asf.settings import Settings, SettingsError


@dataclass(frozen=True, slots=True)
class Storage:
    """The adapters of one kind of storage. `background` functions run as long as the server, each in its own task."""

    name: str
    """As `/asf/ready` names it."""
    catalog_store: CatalogStore
    update_log: UpdateLog
    audio_queues: AudioSources | None
    """None where `queue:` cannot be announced."""
    message_queue: Any
    """Flask-SocketIO's, through which other processes can emit; None if there is none."""
    gauge: Reading
    background: tuple[Callable[[], object], ...] = ()
    lock: DatabaseLock | None = None
    """None where several servers, or none, use the database."""

    def close(self) -> None:
        """Close the catalog, and let another server use its database. Safe to repeat."""
        self.catalog_store.close()
        if self.lock is not None:
            self.lock.release()


def create_storage(settings: Settings, runtime: Runtime) -> Storage:
    """Return storage in Redis if ASF_REDIS_URL is set, else in this server alone.

    Raises `CatalogUnavailable`, and `SettingsError` if another server uses the database.
    """
    return _redis(settings, runtime) if settings.redis_url else _local(settings)


def make_epoch() -> str:
    """Return a new unique string."""
    return secrets.token_urlsafe(9)


def _local(settings: Settings) -> Storage:
    lock = _locked(settings.database)
    try:
        store = SqliteCatalogStore(settings.database)
    except BaseException:
        if lock is not None:
            lock.release()
        raise
    log = InMemoryUpdateLog(settings.ui_history_size, settings.ui_history_seconds, make_epoch)
    return Storage(
        name="catalog",
        catalog_store=store,
        update_log=log,
        audio_queues=None,
        message_queue=None,
        gauge=gauges.reading_of_history(lambda: log.kept_bytes),
        lock=lock,
    )


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


def _redis(settings: Settings, runtime: Runtime) -> Storage:
    # The extra `redis` is needed here only.
    from asf.adapters.redis_store.catalog import RedisCatalogStore  # noqa: PLC0415
    from asf.adapters.redis_store.connection import connect, tasks_of  # noqa: PLC0415
    from asf.adapters.redis_store.pubsub import RedisPubSub  # noqa: PLC0415
    from asf.adapters.redis_store.queues.sources import RedisAudioQueues  # noqa: PLC0415
    from asf.adapters.redis_store.update_log import Limits, RedisUpdateLog  # noqa: PLC0415

    client = connect(settings.redis_url)
    pubsub = RedisPubSub(client)
    limits = Limits(settings.ui_history_size, settings.ui_history_seconds)
    message_queue = realtime_api.MessageQueue(client.publish)
    pubsub.always_follow(realtime_api.MESSAGE_QUEUE_CHANNEL, message_queue.receive)
    log = RedisUpdateLog(client, pubsub, limits, make_epoch)
    return Storage(
        name="redis",
        catalog_store=RedisCatalogStore(client, pubsub),
        update_log=log,
        audio_queues=RedisAudioQueues(client, runtime.spawn, media_type_of),
        message_queue=message_queue,
        gauge=gauges.reading_of_redis(lambda: pubsub.is_connected),
        background=(pubsub.run, log.run, *tasks_of(client)),
    )
