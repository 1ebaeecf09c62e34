"""Storage: the settings, the runtime, and where streams, cues, updates and audio are kept."""

from pathlib import Path

from dependency_injector import containers, providers

from asf.adapters.audio_files import FileAudioSources
from asf.adapters.eventlet_runtime.runtime import EventletRuntime
from asf.adapters.prometheus import PrometheusMetrics
from asf.adapters.serving import HttpTimeouts
from asf.adapters.system_clock import SystemClock
from asf.adapters.workers.place import WorkerPlace
from asf.adapters.workers.seat import Seat
from asf.application.node_status import NodeIdentity
from asf.domain.clock import Clock
from asf.domain.cues.ports import CueStore
from asf.domain.streaming.ports import AudioSources
from asf.domain.streams.catalog import StreamCatalog
from asf.domain.streams.ports import CatalogStore
from asf.domain.updates.ports import UpdateLog
from asf.entrypoints import factories, workers
from asf.entrypoints.storage import Storage, create_storage, make_epoch
from asf.entrypoints.uploads import UploadStorage, create_upload_storage, directory_of
from asf.settings import Settings


class StorageParts(containers.DeclarativeContainer):
    """Storage: the settings, the runtime, and where streams, cues, updates and audio are kept."""

    settings: providers.Dependency[Settings] = providers.Dependency(instance_of=Settings)
    place: providers.Provider[WorkerPlace | None] = providers.Object(None)
    seat: providers.Provider[Seat | None] = providers.Singleton(workers.create_seat, place)
    clock: providers.Provider[Clock] = providers.Singleton(SystemClock)
    runtime: providers.Provider[EventletRuntime] = providers.Singleton(EventletRuntime)
    http_timeouts: providers.Provider[HttpTimeouts] = providers.Singleton(
        HttpTimeouts, idle=settings.provided.keepalive_seconds
    )
    metrics: providers.Provider[PrometheusMetrics] = providers.Singleton(PrometheusMetrics)
    identity: providers.Provider[NodeIdentity] = providers.Singleton(workers.create_identity, place)
    storage: providers.Provider[Storage] = providers.Singleton(
        create_storage, settings, runtime, clock, identity.provided.node, seat
    )
    catalog_store: providers.Provider[CatalogStore] = storage.provided.catalog_store
    update_log: providers.Provider[UpdateLog] = storage.provided.update_log
    cue_store: providers.Provider[CueStore] = storage.provided.cue_store
    audio_objects: providers.Provider[AudioSources | None] = providers.Singleton(
        factories.create_audio_objects, settings, runtime, clock
    )
    upload_directory: providers.Provider[Path] = providers.Singleton(directory_of, settings)
    upload_storage: providers.Provider[UploadStorage] = providers.Singleton(
        create_upload_storage, settings, upload_directory, runtime, storage.provided.upload_queues
    )
    audio_files: providers.Provider[FileAudioSources] = providers.Singleton(
        FileAudioSources, settings.provided.audio_roots, runtime, reserved=upload_directory
    )
    audio_sources: providers.Provider[AudioSources] = providers.Singleton(
        factories.create_source_router,
        audio_files,
        audio_objects,
        storage.provided.audio_queues,
        upload_storage.provided.sources,
    )
    catalog: providers.Provider[StreamCatalog] = providers.Singleton(
        StreamCatalog,
        catalog_store,
        audio_sources,
        clock,
        providers.Object(make_epoch),
        settings.provided.max_streams,
    )
