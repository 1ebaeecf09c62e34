"""The dependency container: connects all parts of the server."""

from collections.abc import Callable
from functools import partial
from typing import Any

from dependency_injector import providers
from flask import Blueprint, Flask
from socketio import Namespace

import asf
from asf.adapters import http_api, prometheus, realtime_api
from asf.adapters.prometheus import SharedPage
from asf.adapters.websocket.endpoint import PlainWebSocketEndpoint
from asf.application.announced_size import AnnouncedSize
from asf.application.demo_studio import DemoStudio
from asf.domain.streaming.short_reads import ShortReads
from asf.entrypoints import factories, workers
from asf.entrypoints.parts.backends import BackendParts
from asf.entrypoints.parts.connections import ConnectionParts
from asf.entrypoints.parts.operators import OperatorParts
from asf.entrypoints.parts.storage import StorageParts
from asf.entrypoints.parts.streaming import StreamingParts
from asf.entrypoints.shutdown import Shutdown


class Container(OperatorParts):
    """Builds each part once. Tests replace parts with `container.<part>.override(...)`."""

    render_own_metrics: providers.Provider[Callable[[], bytes]] = providers.Singleton(
        factories.create_metrics_page,
        StorageParts.metrics,
        StreamingParts.pump,
        StreamingParts.streaming,
        StreamingParts.slow_listeners,
        ConnectionParts.router,
        StorageParts.storage,
        ConnectionParts.connections,
        ConnectionParts.socketio_connections,
        BackendParts.uploads,
    )
    shared_metrics: providers.Provider[SharedPage | None] = providers.Singleton(
        workers.create_shared_page, render_own_metrics, StorageParts.place, StorageParts.seat, StorageParts.runtime
    )
    render_metrics: providers.Provider[Callable[[], bytes]] = providers.Singleton(
        workers.choose_page, render_own_metrics, shared_metrics
    )
    namespaces: providers.Provider[list[Namespace]] = providers.Singleton(
        factories.create_namespaces,
        StreamingParts.streaming,
        ConnectionParts.router,
        StorageParts.settings,
        ConnectionParts.engineio_connections,
        ConnectionParts.replay_limits,
        StorageParts.runtime,
    )
    documents: providers.Provider[dict[str, Callable[[], dict[str, Any]]]] = providers.Dict(
        openapi=providers.Callable(partial, http_api.openapi_document, asf.__version__),
        asyncapi=providers.Callable(
            partial,
            realtime_api.asyncapi_document,
            asf.__version__,
            StorageParts.settings.provided.ui_updates_namespace,
        ),
    )
    demo_studio: providers.Provider[DemoStudio] = providers.Singleton(
        factories.create_demo_studio, StorageParts.settings, StorageParts.catalog
    )
    pages: providers.Provider[list[Blueprint]] = providers.Singleton(
        factories.create_pages, StorageParts.settings, ConnectionParts.internal_guard, demo_studio
    )
    blueprints: providers.Provider[list[Blueprint]] = providers.List(
        providers.Singleton(
            http_api.create_internal_streams_blueprint,
            StorageParts.catalog,
            ConnectionParts.internal_guard,
            BackendParts.uploaded_streams,
            providers.Singleton(AnnouncedSize, StorageParts.audio_sources).provided.wait,
            demand_of=BackendParts.listener_counts.provided.demand,
        ),
        providers.Singleton(
            http_api.create_uploads_blueprint,
            BackendParts.uploads,
            ConnectionParts.internal_guard,
            StorageParts.settings.provided.stall_give_up_seconds,
        ),
        providers.Singleton(
            http_api.create_internal_updates_blueprint,
            ConnectionParts.router,
            ConnectionParts.internal_guard,
            StorageParts.runtime.provided.checkpoint,
            ConnectionParts.update_lines,
        ),
        providers.Singleton(
            http_api.create_internal_operations_blueprint, OperatorParts.operations, ConnectionParts.internal_guard
        ),
        providers.Singleton(
            http_api.create_playback_blueprint,
            StreamingParts.streaming,
            providers.Singleton(
                ShortReads, StreamingParts.pool, StreamingParts.pump, StorageParts.runtime.provided.pause
            ),
            StorageParts.settings.provided.cors_allowed_origins,
            StorageParts.settings.provided.http_pause_seconds,
            StorageParts.identity.provided.tag,
        ),
        providers.Singleton(
            http_api.create_internal_cues_blueprint,
            StreamingParts.cues,
            ConnectionParts.internal_guard,
            StorageParts.runtime.provided.checkpoint,
        ),
        providers.Singleton(
            http_api.create_cues_blueprint,
            StreamingParts.cues,
            StreamingParts.access,
            StorageParts.settings.provided.cors_allowed_origins,
            StorageParts.runtime.provided.checkpoint,
        ),
        providers.Singleton(
            http_api.create_operations_blueprint,
            OperatorParts.readiness.provided.problems,
            ConnectionParts.internal_guard.provided.permits,
            render_metrics,
            prometheus.CONTENT_TYPE,
            asf.__version__,
            documents,
        ),
    )
    node: providers.Provider[str] = StorageParts.identity.provided.node
    plain_websockets: providers.Provider[realtime_api.PlainWebSocketSessions] = providers.Singleton(
        realtime_api.PlainWebSocketSessions, StreamingParts.streaming, StorageParts.identity.provided.tag
    )
    websocket_endpoint: providers.Provider[PlainWebSocketEndpoint] = providers.Singleton(
        factories.create_websocket_endpoint, plain_websockets, StorageParts.settings, StorageParts.runtime
    )
    shutdown: providers.Provider[Shutdown] = providers.Singleton(
        Shutdown,
        StreamingParts.streaming,
        BackendParts.uploads,
        ConnectionParts.update_lines,
        StorageParts.settings.provided.drain_seconds,
        providers.Callable(
            factories.sent_all_check, ConnectionParts.engineio_connections, websocket_endpoint, BackendParts.webhooks
        ),
        StorageParts.clock,
        providers.Callable(workers.choose_listeners_beside, StorageParts.seat),
    )
    assembled_app: providers.Provider[Flask] = providers.Singleton(
        factories.assemble_app,
        ConnectionParts.bare_app,
        ConnectionParts.socketio,
        blueprints,
        pages,
        namespaces,
        websocket_endpoint,
        ConnectionParts.engineio_connections,
        StreamingParts.streaming,
        StorageParts.metrics,
    )
    app: providers.Provider[Flask] = providers.Singleton(
        factories.put_in_front, assembled_app, ConnectionParts.direct_updates
    )
