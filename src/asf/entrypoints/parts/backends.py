"""Backends: what takes their uploads, and what tells them who listens."""

from dependency_injector import providers

from asf.adapters.session_log import UploadLog
from asf.adapters.webhooks import WebhookSender
from asf.domain.streaming.audience import Audience
from asf.domain.streaming.listener_counts import ListenerCounts
from asf.domain.uploads.discards import Discards
from asf.domain.uploads.keeper import UploadKeeper
from asf.domain.uploads.service import Uploads
from asf.domain.uploads.streams import UploadedStreams
from asf.entrypoints import factories
from asf.entrypoints.demand import connect_listener_counts, create_audience, create_webhooks
from asf.entrypoints.parts.storage import StorageParts
from asf.entrypoints.parts.streaming import StreamingParts


class BackendParts(StreamingParts):
    """Backends: what takes their uploads, and what tells them who listens."""

    discards: providers.Provider[Discards] = providers.Singleton(
        Discards,
        StorageParts.upload_storage.provided.spool,
        StorageParts.runtime.provided.spawn,
        StorageParts.runtime.provided.pause,
        is_shared=StorageParts.settings.provided.is_cluster,
    )
    uploaded_streams: providers.Provider[UploadedStreams] = providers.Singleton(
        UploadedStreams, StorageParts.catalog, StorageParts.upload_storage.provided.spool, discards.provided.discard
    )
    uploads: providers.Provider[Uploads] = providers.Singleton(
        factories.create_uploads,
        StorageParts.catalog,
        uploaded_streams,
        StorageParts.upload_storage.provided.spool,
        StorageParts.clock,
        providers.Singleton(UploadLog, StorageParts.metrics),
        discards.provided.discard,
        StorageParts.settings.provided.upload_max_bytes,
        StreamingParts.pump,
    )
    upload_keeper: providers.Provider[UploadKeeper] = providers.Singleton(
        factories.create_upload_keeper,
        StorageParts.catalog,
        StorageParts.upload_storage.provided.spool,
        StorageParts.clock,
        discards,
        uploads,
        StorageParts.runtime,
        StorageParts.settings,
    )
    audience: providers.Provider[Audience] = providers.Singleton(
        create_audience,
        StreamingParts.admission,
        StreamingParts.streamer.provided.ahead,
        StorageParts.clock,
        StorageParts.runtime.provided.checkpoint,
    )
    webhooks: providers.Provider[WebhookSender | None] = providers.Singleton(
        create_webhooks, StorageParts.settings, StorageParts.clock, StorageParts.metrics
    )
    listener_counts: providers.Provider[ListenerCounts] = providers.Singleton(
        connect_listener_counts,
        StorageParts.storage.provided.listener_counts,
        audience,
        StorageParts.catalog,
        StorageParts.clock,
        webhooks,
    )
