"""The dependency container: connects all parts of the server."""

from collections.abc import Callable
from functools import partial
from typing import Any

from dependency_injector import containers, providers
from flask import Blueprint, Flask
from flask_socketio import SocketIO
from socketio import Namespace

import asf
from asf.adapters import http_api, prometheus, realtime_api
from asf.adapters.audio_files import FileAudioSources
from asf.adapters.audio_formats import scanner_of
from asf.adapters.connection_quota import ConnectionQuota
from asf.adapters.engineio.connections import EngineIoConnections
from asf.adapters.eventlet_runtime.runtime import EventletRuntime
from asf.adapters.prometheus import PrometheusMetrics
from asf.adapters.serving import HttpTimeouts
from asf.adapters.session_log import SessionLog
from asf.adapters.system_clock import SystemClock
from asf.adapters.websocket.endpoint import PlainWebSocketEndpoint
from asf.application.announced_size import AnnouncedSize
from asf.application.demo_studio import DemoStudio
from asf.application.readiness import Readiness
from asf.domain.access.control import AccessControl
from asf.domain.access.expiry import Expiries
from asf.domain.access.ports import TokenVerifier
from asf.domain.clock import Clock
from asf.domain.streaming.admission import Admission
from asf.domain.streaming.ahead import AheadLimit
from asf.domain.streaming.audio_pool import AudioPool
from asf.domain.streaming.batch_cache import BatchCache
from asf.domain.streaming.due import ChunkStreamer
from asf.domain.streaming.live_edge import LiveEdge
from asf.domain.streaming.pacing import Pace
from asf.domain.streaming.ports import AudioSources
from asf.domain.streaming.pump import AudioPump
from asf.domain.streaming.schedule import Schedule
from asf.domain.streaming.seek_limit import SeekLimit
from asf.domain.streaming.service import StreamingService
from asf.domain.streaming.short_reads import ShortReads
from asf.domain.streaming.slow_listeners import SlowListeners
from asf.domain.streaming.stalled_streams import StalledStreams
from asf.domain.streaming.waiting_room import WaitingRoom
from asf.domain.streams.catalog import StreamCatalog
from asf.domain.streams.ports import CatalogStore
from asf.domain.updates.ports import UiUpdateEmitter, UpdateLog
from asf.domain.updates.router import UiUpdateRouter
from asf.entrypoints import factories
from asf.entrypoints.shutdown import Shutdown
from asf.entrypoints.storage import Storage, create_storage, make_epoch
from asf.settings import Settings


class Container(containers.DeclarativeContainer):
    """Builds each part once. Tests replace parts with `container.<part>.override(...)`."""

    settings: providers.Dependency[Settings] = providers.Dependency(instance_of=Settings)

    clock: providers.Provider[Clock] = providers.Singleton(SystemClock)
    runtime: providers.Provider[EventletRuntime] = providers.Singleton(EventletRuntime)
    http_timeouts: providers.Provider[HttpTimeouts] = providers.Singleton(
        HttpTimeouts, idle=settings.provided.keepalive_seconds
    )
    metrics: providers.Provider[PrometheusMetrics] = providers.Singleton(PrometheusMetrics)
    storage: providers.Provider[Storage] = providers.Singleton(create_storage, settings, runtime)
    catalog_store: providers.Provider[CatalogStore] = storage.provided.catalog_store
    update_log: providers.Provider[UpdateLog] = storage.provided.update_log
    audio_objects: providers.Provider[AudioSources | None] = providers.Singleton(
        factories.create_audio_objects, settings, runtime, clock
    )
    audio_files: providers.Provider[FileAudioSources] = providers.Singleton(
        FileAudioSources, settings.provided.audio_roots, runtime
    )
    audio_sources: providers.Provider[AudioSources] = providers.Singleton(
        factories.create_source_router,
        audio_files,
        audio_objects,
        storage.provided.audio_queues,
    )

    pace: providers.Provider[Pace] = providers.Singleton(
        Pace, settings.provided.chunk_size, settings.provided.stream_sleep_interval
    )
    catalog: providers.Provider[StreamCatalog] = providers.Singleton(
        StreamCatalog,
        catalog_store,
        audio_sources,
        clock,
        providers.Object(make_epoch),
        settings.provided.max_streams,
    )
    streamer: providers.Provider[ChunkStreamer] = providers.Singleton(
        ChunkStreamer,
        pace,
        providers.Singleton(AheadLimit, settings.provided.ahead_seconds, pace, providers.Object(scanner_of)),
    )
    batches: providers.Provider[BatchCache] = providers.Singleton(BatchCache, pace)
    pool: providers.Provider[AudioPool] = providers.Singleton(
        AudioPool, audio_sources, batches, audio_files.provided.is_local
    )
    schedule: providers.Provider[Schedule] = providers.Singleton(Schedule)
    stalled_streams: providers.Provider[StalledStreams] = providers.Singleton(
        StalledStreams, catalog, runtime.provided.spawn, settings.provided.stall_give_up_seconds
    )
    live_edge: providers.Provider[LiveEdge] = providers.Singleton(
        LiveEdge,
        pool,
        schedule,
        settings.provided.stall_seconds,
        settings.provided.stall_give_up_seconds,
        stalled_streams.provided.give_up,
    )
    slow_listeners: providers.Provider[SlowListeners] = providers.Singleton(
        SlowListeners, settings.provided.slow_listener_seconds
    )
    waiting_room: providers.Provider[WaitingRoom] = providers.Singleton(
        WaitingRoom, settings.provided.join_wait_seconds
    )
    expiries: providers.Provider[Expiries] = providers.Singleton(Expiries)
    seek_limit: providers.Provider[SeekLimit] = providers.Singleton(SeekLimit)
    session_log: providers.Provider[SessionLog] = providers.Singleton(SessionLog, metrics)
    pump: providers.Provider[AudioPump] = providers.Singleton(
        AudioPump,
        streamer,
        pool,
        schedule,
        live_edge,
        slow_listeners,
        providers.List(waiting_room, expiries, seek_limit),
        clock,
        session_log,
    )
    token_verifier: providers.Provider[TokenVerifier | None] = providers.Singleton(
        factories.create_token_verifier, settings
    )
    access: providers.Provider[AccessControl] = providers.Singleton(
        AccessControl, token_verifier, expiries, clock, pump.provided.update_wake_up
    )
    admission: providers.Provider[Admission] = providers.Singleton(
        Admission,
        catalog,
        pool,
        pump,
        waiting_room,
        clock,
        session_log,
        with_simulation=settings.provided.debug_mode,
        spawn=runtime.provided.spawn,
        checkpoint=runtime.provided.checkpoint,
    )
    streaming: providers.Provider[StreamingService] = providers.Singleton(
        StreamingService,
        admission,
        pump,
        access,
        clock,
        session_log,
        settings.provided.max_listeners,
        seek_limit,
        runtime.provided.checkpoint,
    )

    bare_app: providers.Provider[Flask] = providers.Singleton(
        http_api.create_app, settings.provided.secret_key, metrics.provided.request_answered
    )
    internal_guard: providers.Provider[http_api.InternalGuard] = providers.Singleton(
        http_api.InternalGuard,
        settings.provided.internal_api_token,
        settings.provided.internal_trusted_networks,
        settings.provided.allowed_hosts,
        trusts_strangers=settings.provided.internal_api_is_open,
    )
    connections: providers.Provider[ConnectionQuota] = providers.Singleton(
        ConnectionQuota,
        settings.provided.max_connections,
        settings.provided.max_connections_per_ip,
        internal_guard.provided.is_backend,
    )
    socketio_connections: providers.Provider[ConnectionQuota] = providers.Singleton(
        ConnectionQuota,
        settings.provided.max_connections,
        settings.provided.max_connections_per_ip,
        internal_guard.provided.is_backend,
    )
    beginnings: providers.Provider[ConnectionQuota] = providers.Singleton(
        factories.create_beginnings_quota, settings, internal_guard
    )
    socketio: providers.Provider[SocketIO] = providers.Singleton(
        factories.create_socketio, bare_app, runtime, settings, storage.provided.message_queue
    )
    engineio_connections: providers.Provider[EngineIoConnections] = providers.Singleton(
        factories.install_engineio, socketio, runtime, socketio_connections, beginnings
    )
    replay_limits: providers.Provider[realtime_api.ReplayLimits] = providers.Singleton(realtime_api.ReplayLimits)
    ui_emitter: providers.Provider[UiUpdateEmitter | None] = providers.Singleton(
        factories.create_ui_emitter, socketio, settings, engineio_connections, replay_limits
    )
    router: providers.Provider[UiUpdateRouter] = providers.Singleton(
        UiUpdateRouter,
        ui_emitter,
        update_log,
        access,
        clock,
        metrics,
        runtime.provided.spawn,
        runtime.provided.checkpoint,
        runtime.provided.pause,
    )
    render_metrics: providers.Provider[Callable[[], bytes]] = providers.Singleton(
        factories.create_metrics_page,
        metrics,
        pump,
        streaming,
        slow_listeners,
        router,
        storage,
        connections,
        socketio_connections,
    )
    readiness: providers.Provider[Readiness] = providers.Singleton(
        Readiness,
        catalog_store,
        audio_sources,
        streaming,
        pump,
        clock,
        storage.provided.name,
    )
    namespaces: providers.Provider[list[Namespace]] = providers.Singleton(
        factories.create_namespaces, streaming, router, settings, engineio_connections, replay_limits, runtime
    )
    documents: providers.Provider[dict[str, Callable[[], dict[str, Any]]]] = providers.Dict(
        openapi=providers.Callable(partial, http_api.openapi_document, asf.__version__),
        asyncapi=providers.Callable(
            partial, realtime_api.asyncapi_document, asf.__version__, settings.provided.ui_updates_namespace
        ),
    )
    demo_studio: providers.Provider[DemoStudio] = providers.Singleton(factories.create_demo_studio, settings, catalog)
    console: providers.Provider[list[Blueprint]] = providers.Singleton(
        factories.create_console, settings, internal_guard, demo_studio
    )
    blueprints: providers.Provider[list[Blueprint]] = providers.List(
        providers.Singleton(
            http_api.create_internal_streams_blueprint,
            catalog,
            internal_guard,
            providers.Singleton(AnnouncedSize, audio_sources).provided.wait,
        ),
        providers.Singleton(
            http_api.create_internal_updates_blueprint, router, internal_guard, runtime.provided.checkpoint
        ),
        providers.Singleton(
            http_api.create_playback_blueprint,
            streaming,
            providers.Singleton(ShortReads, pool, pump, runtime.provided.pause),
            settings.provided.cors_allowed_origins,
            settings.provided.http_pause_seconds,
        ),
        providers.Singleton(
            http_api.create_operations_blueprint,
            readiness.provided.problems,
            internal_guard.provided.permits,
            render_metrics,
            prometheus.CONTENT_TYPE,
            documents,
        ),
    )
    plain_websockets: providers.Provider[realtime_api.PlainWebSocketSessions] = providers.Singleton(
        realtime_api.PlainWebSocketSessions, streaming
    )
    websocket_endpoint: providers.Provider[PlainWebSocketEndpoint] = providers.Singleton(
        factories.create_websocket_endpoint, plain_websockets, settings, runtime
    )
    shutdown: providers.Provider[Shutdown] = providers.Singleton(
        Shutdown,
        streaming,
        settings.provided.drain_seconds,
        providers.Callable(factories.sent_all_check, engineio_connections, websocket_endpoint),
        clock,
    )
    app: providers.Provider[Flask] = providers.Singleton(
        factories.assemble_app,
        bare_app,
        socketio,
        blueprints,
        console,
        namespaces,
        websocket_endpoint,
        engineio_connections,
        streaming,
        metrics,
    )
