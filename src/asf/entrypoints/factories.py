"""Builds the parts of the server that need more than a call of their class."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask
from flask_socketio import SocketIO
from socketio import Namespace

import asf
from asf.adapters import http_api, realtime_api
from asf.adapters.connection_quota import ConnectionQuota
from asf.adapters.delays import FixedDelay
from asf.adapters.engineio import patches as engineio_server
from asf.adapters.engineio.connections import EngineIoConnections
from asf.adapters.http_api.playback import STREAM_URL
from asf.adapters.jwt_tokens import JwtTokens
from asf.adapters.origins import origin_rule
from asf.adapters.prometheus import PrometheusMetrics, gauges
from asf.adapters.runtime import Runtime
from asf.adapters.source_router import SourceRouter
from asf.adapters.sqlite_catalog import IN_MEMORY
from asf.adapters.webhooks import WebhookSender
from asf.adapters.websocket.endpoint import PlainWebSocketEndpoint
from asf.adapters.workers.seat import Seat
from asf.application.demo_studio import DemoStudio
from asf.domain.access.ports import TokenVerifier
from asf.domain.clock import Clock
from asf.domain.streaming.ports import AudioSources
from asf.domain.streaming.pump import AudioPump
from asf.domain.streaming.service import StreamingService
from asf.domain.streaming.slow_listeners import SlowListeners
from asf.domain.streams.catalog import StreamCatalog
from asf.domain.streams.stream import FileLocator, Locator, ObjectLocator, QueueLocator, UploadLocator
from asf.domain.updates.ports import UiUpdateEmitter
from asf.domain.updates.router import UiUpdateRouter
from asf.domain.uploads.discards import Discards
from asf.domain.uploads.keeper import UploadKeeper
from asf.domain.uploads.ports import UploadObserver, UploadSpool
from asf.domain.uploads.service import Uploads
from asf.domain.uploads.streams import UploadedStreams
from asf.entrypoints.storage import Storage
from asf.settings import ANY_ORIGIN, Settings, SettingsError

CONSOLE_FOLDER = Path(asf.__file__).parent / "console"
OPERATOR_FOLDER = Path(asf.__file__).parent / "operator_page"
OPERATOR_SCRIPTS = CONSOLE_FOLDER / "static" / "operator"
CLIENT_FOLDER = CONSOLE_FOLDER / "static" / "asf-client"


def create_audio_objects(settings: Settings, runtime: Runtime, clock: Clock) -> AudioSources | None:
    """Return the object stores, or None if no bucket is set. The extra `objects` is needed only if a bucket is set.

    Raises `SettingsError` when the library rejects the configuration.
    """
    if not settings.has_object_stores:
        return None
    from asf.adapters import object_store  # noqa: PLC0415

    try:
        stores = object_store.create_stores(
            settings.s3_buckets, settings.gs_buckets, settings.az_containers, settings.s3_endpoint_url
        )
    except object_store.InvalidStoreConfiguration as error:
        raise SettingsError([str(error)]) from error
    return object_store.ObjectAudioSources(stores, runtime.run_in_thread, settings.object_cache_bytes, clock.now)


def create_source_router(
    files: AudioSources, objects: AudioSources | None, queues: AudioSources | None, uploads: AudioSources
) -> SourceRouter:
    """Return the router of the audio sources that this server has."""
    sources: dict[type[Locator], AudioSources | None] = {
        FileLocator: files,
        ObjectLocator: objects,
        QueueLocator: queues,
        UploadLocator: uploads,
    }
    return SourceRouter({kind: source for kind, source in sources.items() if source is not None})


def create_uploads(
    catalog: StreamCatalog,
    streams: UploadedStreams,
    spool: UploadSpool,
    clock: Clock,
    observer: UploadObserver,
    discard: Callable[[Locator], object],
    max_bytes: int,
    pump: AudioPump,
) -> Uploads:
    """Return the uploads, of which listeners hear at once."""
    uploads = Uploads(catalog, streams, spool, clock, observer, discard, max_bytes)
    uploads.on_growth.connect(pump.look)
    return uploads


def create_upload_keeper(
    catalog: StreamCatalog,
    spool: UploadSpool,
    clock: Clock,
    discards: Discards,
    uploads: Uploads,
    runtime: Runtime,
    settings: Settings,
) -> UploadKeeper:
    """Return what looks after the uploads that no request writes any more."""
    keeper = UploadKeeper(
        catalog,
        spool,
        clock,
        discards.discard,
        uploads.is_writing,
        runtime.checkpoint,
        settings.stall_give_up_seconds,
        settings.upload_keep_seconds,
        is_shared=settings.is_cluster,
    )
    uploads.on_release.connect(keeper.note)
    return keeper


def create_socketio(app: Flask, runtime: Runtime, settings: Settings, message_queue: Any) -> SocketIO:
    """Return the Socket.IO server, which puts its middleware in front of `app`."""
    origins = settings.cors_allowed_origins
    allowed = ANY_ORIGIN if origins == [ANY_ORIGIN] else origin_rule(settings.allows_origin)
    return realtime_api.create_socketio(app, runtime.name, allowed, settings.max_message_bytes, message_queue)


def install_engineio(
    socketio: SocketIO,
    runtime: Runtime,
    quota: ConnectionQuota,
    beginnings: ConnectionQuota,
    seat: Seat | None,
) -> EngineIoConnections:
    """Replace parts of the Engine.IO server, and return its connections. `quota` and `beginnings` limit them.

    The session ids of one of several workers, which has a `seat`, say whose they are.
    """
    notify_error = partial(realtime_api.notify_connection, socketio)
    server = socketio.server.eio
    if seat is not None:
        owner, generate = seat.me, server.generate_id
        server.generate_id = lambda: owner.sid(generate())
    return engineio_server.install(server, runtime, quota, beginnings, notify_error)


def create_ui_emitter(
    socketio: SocketIO,
    settings: Settings,
    connections: EngineIoConnections,
    replay_limits: realtime_api.ReplayLimits,
) -> UiUpdateEmitter | None:
    """Return the emitter of UI updates, or None if the setting turns them off."""
    namespace = settings.ui_updates_namespace
    if not namespace:
        return None
    return realtime_api.SocketIoUiUpdateEmitter(socketio, namespace, connections.get, replay_limits)


def create_namespaces(
    service: StreamingService,
    router: UiUpdateRouter,
    settings: Settings,
    connections: EngineIoConnections,
    replay_limits: realtime_api.ReplayLimits,
    runtime: Runtime,
) -> list[Namespace]:
    """Return the Socket.IO namespaces: of audio, and of UI updates unless the setting turns them off."""
    namespaces: list[Namespace] = [realtime_api.AudioNamespace(service, connections.get)]
    if settings.ui_updates_namespace:
        updates = realtime_api.UiUpdatesNamespace(
            settings.ui_updates_namespace, router, connections.get, replay_limits, runtime.spawn, runtime.pause
        )
        namespaces.append(updates)
    return namespaces


def create_metrics_page(
    metrics: PrometheusMetrics,
    pump: AudioPump,
    streaming: StreamingService,
    slow_listeners: SlowListeners,
    router: UiUpdateRouter,
    storage: Storage,
    connections: ConnectionQuota,
    socketio_connections: ConnectionQuota,
    uploads: Uploads,
) -> Callable[[], bytes]:
    """Register the values that are read at each scrape, and return the function that renders /metrics."""
    gauges.register_build(metrics, asf.__version__)
    gauges.register_streaming(metrics, streaming, slow_listeners, pump)
    gauges.register_connections(metrics, connections, socketio_connections)
    gauges.register_uploads(metrics, uploads)
    gauges.register_updates(metrics, router, storage.gauge)
    gauges.register_catalog(metrics, storage.catalog_store.count)
    return metrics.render


def create_websocket_endpoint(
    sessions: realtime_api.PlainWebSocketSessions, settings: Settings, runtime: Runtime
) -> PlainWebSocketEndpoint:
    """Return the endpoint of plain WebSockets."""
    return PlainWebSocketEndpoint(
        STREAM_URL,
        sessions.serve,
        origin_rule(settings.allows_origin),
        settings.max_message_bytes,
        partial(FixedDelay, runtime),
    )


def assemble_app(
    app: Flask,
    socketio: SocketIO,
    blueprints: list[Blueprint],
    pages: list[Blueprint],
    namespaces: list[Namespace],
    websocket_endpoint: PlainWebSocketEndpoint,
    engineio_connections: EngineIoConnections,
    streaming: StreamingService,
    metrics: PrometheusMetrics,
) -> Flask:
    """Return the WSGI application without what `put_in_front` adds."""
    for blueprint in blueprints + pages:
        app.register_blueprint(blueprint)
    for namespace in namespaces:
        # Not through Flask-SocketIO: its handlers set up a Flask request context for every event, which nothing uses.
        socketio.server.register_namespace(namespace)
    realtime_api.refuse_unknown_namespaces(socketio.server, engineio_connections.mark_entered)
    # From the inside out: the routes; Socket.IO, which is in `app.wsgi_app` by now; plain WebSockets; limits.
    app.wsgi_app = http_api.LoadShedding(  # type: ignore[method-assign]
        app,
        websocket_endpoint.in_front_of(app.wsgi_app),
        socketio.server.handle_request,  # Past the middleware, which copies each environment.
        engineio_connections.rejection,
        lambda: streaming.draining,
        metrics.request_answered,
        socketio.server.eio._cors_headers,  # noqa: SLF001 - as its own responses have them
    )
    return app


def put_in_front(app: Flask, direct_updates: http_api.DirectUpdates) -> Flask:
    """Return the complete WSGI application: in front of all others is the route that needs none of them."""
    app.wsgi_app = direct_updates.in_front_of(app.wsgi_app)  # type: ignore[method-assign,assignment]
    return app


def create_demo_studio(settings: Settings, catalog: StreamCatalog) -> DemoStudio:
    """Return the studio. The demos of a server alone are recorded beside its database, for the next start."""
    is_kept = not settings.redis_url and settings.database != IN_MEMORY
    running_path = Path(f"{settings.database}.demos") if is_kept else None
    return DemoStudio(settings.host, settings.audio_roots[0], settings.internal_api_token, catalog, running_path)


def create_pages(settings: Settings, guard: http_api.InternalGuard, studio: DemoStudio) -> list[Blueprint]:
    """Return the routes of pages: the browser client and the page for operators, unless a setting turns them off.

    In debug mode those of the console, too.
    """
    origins = settings.cors_allowed_origins
    pages: list[Blueprint] = []
    if settings.serve_client:
        pages.append(http_api.create_browser_client_blueprint(CLIENT_FOLDER, origins))
    if settings.serve_operator_page:
        pages.append(http_api.create_operator_page_blueprint(OPERATOR_FOLDER, OPERATOR_SCRIPTS))
    if settings.debug_mode:
        pages.append(http_api.create_console_blueprint(CONSOLE_FOLDER, origins))
        pages.append(http_api.create_demo_blueprint(guard, studio.start))
    return pages


def create_token_verifier(settings: Settings) -> TokenVerifier | None:
    """Return the verifier of tokens, or None if none are required."""
    return JwtTokens(settings.secret_key) if settings.require_tokens else None


def sent_all_check(
    connections: EngineIoConnections, websocket_endpoint: PlainWebSocketEndpoint, webhooks: WebhookSender | None
) -> Callable[[], bool]:
    """Return a function that returns whether no connection has data to send, and each webhook was attempted."""
    return lambda: (
        connections.have_sent_all and websocket_endpoint.has_sent_all and (webhooks is None or webhooks.has_tried_all)
    )
