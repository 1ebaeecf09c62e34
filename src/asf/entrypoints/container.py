"""The container: the one place where the parts of the server meet."""

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dependency_injector import containers, providers
from flask import Blueprint, Flask
from flask_socketio import SocketIO
from socketio import Namespace

import asf
from asf.adapters import http_api, prometheus, realtime_api
from asf.adapters.audio_files import FileAudioSources
from asf.adapters.delays import FixedDelay
from asf.adapters.engineio import server as engineio_server
from asf.adapters.engineio.connections import EngineIoConnections
from asf.adapters.eventlet_runtime.runtime import EventletRuntime
from asf.adapters.http_api.playback import STREAM_URL
from asf.adapters.jwt_tokens import JwtTokens
from asf.adapters.limits import ConnectionQuota
from asf.adapters.media_types import media_type_of
from asf.adapters.memory_update_log import InMemoryUpdateLog
from asf.adapters.prometheus import PrometheusMetrics, Reading, gauges
from asf.adapters.runtime import Runtime
from asf.adapters.serving import HttpTimeouts
from asf.adapters.session_log import SessionLog
from asf.adapters.source_router import SourceRouter
from asf.adapters.sqlite_catalog import SqliteCatalogStore
from asf.adapters.system_clock import SystemClock
from asf.adapters.websocket.plain import PlainWebSocketEndpoint
from asf.application.demo_studio import DemoStudio
from asf.application.readiness import Readiness
from asf.domain.access.control import AccessControl
from asf.domain.access.expiry import Expiries
from asf.domain.access.ports import TokenVerifier
from asf.domain.clock import Clock
from asf.domain.streaming.admission import Admission
from asf.domain.streaming.batch_cache import BatchCache
from asf.domain.streaming.due import ChunkStreamer
from asf.domain.streaming.live_edge import LiveEdge
from asf.domain.streaming.pacing import Pace
from asf.domain.streaming.pool import AudioPool
from asf.domain.streaming.ports import AudioSources
from asf.domain.streaming.pump import AudioPump
from asf.domain.streaming.schedule import Schedule
from asf.domain.streaming.service import StreamingService
from asf.domain.streaming.slow_listeners import SlowListeners
from asf.domain.streaming.waiting_room import WaitingRoom
from asf.domain.streams.catalog import StreamCatalog
from asf.domain.streams.ports import CatalogStore
from asf.domain.streams.stream import FileLocator, Locator, ObjectLocator, QueueLocator
from asf.domain.updates.ports import UiUpdateEmitter, UpdateLog
from asf.domain.updates.router import UiUpdateRouter
from asf.entrypoints.shutdown import Shutdown
from asf.settings import ANY_ORIGIN, Settings, SettingsError

if TYPE_CHECKING:
    import redis

    from asf.adapters.redis_store.pubsub import RedisPubSub

CONSOLE_FOLDER = Path(asf.__file__).parent / "console"


def _sharing(settings: Settings) -> str:
    """Return where what several servers may share is kept: `redis`, or nowhere but here, `alone`."""
    return "redis" if settings.redis_url else "alone"


# The extra `redis` need not be there where it is not asked for.


def _redis(url: str) -> "redis.Redis":
    from asf.adapters.redis_store.connection import connect  # noqa: PLC0415

    return connect(url)


def _redis_news(client: "redis.Redis") -> "RedisPubSub":
    from asf.adapters.redis_store.pubsub import RedisPubSub  # noqa: PLC0415

    return RedisPubSub(client)


def _redis_catalog_store(client: "redis.Redis", news: "RedisPubSub") -> CatalogStore:
    from asf.adapters.redis_store.catalog import RedisCatalogStore  # noqa: PLC0415

    return RedisCatalogStore(client, news)


def _redis_audio_queues(client: "redis.Redis", runtime: Runtime) -> AudioSources:
    from asf.adapters.redis_store.queues.sources import RedisAudioQueues  # noqa: PLC0415

    return RedisAudioQueues(client, runtime.spawn, media_type_of)


def _audio_objects(settings: Settings, runtime: Runtime, clock: Clock) -> AudioSources | None:
    """Return the object stores, if there are any; the extra `objects` need not be there where there are none."""
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


def _audio_places(files: AudioSources, objects: AudioSources | None, queues: AudioSources | None) -> SourceRouter:
    places: dict[type[Locator], AudioSources] = {FileLocator: files}
    if objects is not None:
        places[ObjectLocator] = objects
    if queues is not None:
        places[QueueLocator] = queues
    return SourceRouter(places)


def _redis_update_log(client: "redis.Redis", news: "RedisPubSub", settings: Settings) -> UpdateLog:
    from asf.adapters.redis_store.update_log import Limits, RedisUpdateLog  # noqa: PLC0415

    limits = Limits(settings.ui_history_size, settings.ui_history_seconds)
    return RedisUpdateLog(client, news, limits, _make_epoch)


def _redis_message_queue(url: str) -> Any:
    from asf.adapters.redis_store.connection import OPTIONS  # noqa: PLC0415

    return realtime_api.create_message_queue(url, OPTIONS)


def _socketio(app: Flask, runtime: Runtime, settings: Settings, message_queue: Any) -> SocketIO:
    origins = settings.cors_allowed_origins
    allowed = ANY_ORIGIN if origins == [ANY_ORIGIN] else origins
    return realtime_api.create_socketio(app, runtime.name, allowed, settings.max_message_bytes, message_queue)


def _engineio_connections(socketio: SocketIO, runtime: Runtime, quota: ConnectionQuota) -> EngineIoConnections:
    notify_error = partial(realtime_api.notify_connection, socketio)
    return engineio_server.install(socketio.server.eio, runtime, quota, notify_error)


def _connection_quota(settings: Settings, guard: http_api.InternalGuard) -> ConnectionQuota:
    """Return how many connections there may be. Trusted peers, such as backends and a proxy, may have many."""

    def is_exempt(address: str) -> bool:
        return not settings.internal_api_is_open and guard.trusts(address)

    return ConnectionQuota(settings.max_connections, settings.max_connections_per_ip, is_exempt)


def _ui_emitter(socketio: SocketIO, settings: Settings, connections: EngineIoConnections) -> UiUpdateEmitter | None:
    namespace = settings.ui_updates_namespace
    if not namespace:
        return None
    return realtime_api.SocketIoUiUpdateEmitter(socketio, namespace, connections.get)


def _namespaces(
    service: StreamingService, router: UiUpdateRouter, settings: Settings, connections: EngineIoConnections
) -> list[Namespace]:
    namespaces: list[Namespace] = [realtime_api.AudioNamespace(service, connections.get)]
    if settings.ui_updates_namespace:
        namespaces.append(realtime_api.UiUpdatesNamespace(settings.ui_updates_namespace, router, connections.get))
    return namespaces


def _gauge_of_history(log: InMemoryUpdateLog) -> Reading:
    return gauges.reading_of_history(lambda: log.kept_bytes)


def _gauge_of_news(news: "RedisPubSub") -> Reading:
    return gauges.reading_of_redis(lambda: news.is_connected)


def _render_metrics(
    metrics: PrometheusMetrics,
    pump: AudioPump,
    streaming: StreamingService,
    blocked: SlowListeners,
    store: CatalogStore,
    router: UiUpdateRouter,
    gauge_of_sharing: Reading,
    connections: ConnectionQuota,
    socketio_connections: ConnectionQuota,
) -> Callable[[], bytes]:
    gauges.register_streaming(metrics, streaming, blocked, pump)
    gauges.register_connections(metrics, connections, socketio_connections)
    gauges.register_updates(metrics, router, gauge_of_sharing)
    gauges.register_catalog(metrics, store.count)
    return metrics.render


def _websocket_endpoint(
    app: Flask,
    _socketio: SocketIO,
    plain_websockets: realtime_api.PlainWebSocketSessions,
    settings: Settings,
    runtime: Runtime,
) -> PlainWebSocketEndpoint:
    """Return the endpoint of plain WebSockets, in front of the application with Socket.IO's middleware."""
    origins = settings.cors_allowed_origins
    return PlainWebSocketEndpoint(
        app.wsgi_app,
        STREAM_URL,
        plain_websockets.serve,
        lambda origin: origins == [ANY_ORIGIN] or origin in origins,
        settings.max_message_bytes,
        partial(FixedDelay, runtime),
    )


def _server_app(
    app: Flask,
    socketio: SocketIO,
    blueprints: list[Blueprint],
    console: list[Blueprint],
    namespaces: list[Namespace],
    websocket_endpoint: PlainWebSocketEndpoint,
    socketio_connections: ConnectionQuota,
    streaming: StreamingService,
    metrics: PrometheusMetrics,
) -> Flask:
    for blueprint in blueprints + console:
        app.register_blueprint(blueprint)
    for namespace in namespaces:
        # Below Flask-SocketIO, whose handlers set up a Flask request context for every event, to no use here.
        socketio.server.register_namespace(namespace)
    app.wsgi_app = http_api.Admission(  # type: ignore[method-assign]
        app,
        websocket_endpoint,
        socketio_connections,
        lambda: streaming.draining,
        metrics.request_answered,
    )
    return app


def _console(settings: Settings, guard: http_api.InternalGuard) -> list[Blueprint]:
    """Return the console's routes: none in production."""
    if not settings.debug_mode:
        return []
    studio = DemoStudio(settings.host, settings.audio_roots[0], settings.internal_api_token)
    return [http_api.create_console_blueprint(CONSOLE_FOLDER, settings.cors_allowed_origins, guard, studio.start)]


def _token_verifier(settings: Settings) -> TokenVerifier | None:
    return JwtTokens(settings.secret_key) if settings.require_tokens else None


def _sent_all_of(connections: EngineIoConnections, websocket_endpoint: PlainWebSocketEndpoint) -> Callable[[], bool]:
    return lambda: connections.have_sent_all and websocket_endpoint.has_sent_all


def _make_epoch() -> str:
    return secrets.token_urlsafe(9)


class Container(containers.DeclarativeContainer):
    """Builds each part once. Tests replace parts with `container.<part>.override(...)`."""

    settings: providers.Dependency[Settings] = providers.Dependency(instance_of=Settings)

    clock: providers.Provider[Clock] = providers.Singleton(SystemClock)
    runtime: providers.Provider[EventletRuntime] = providers.Singleton(EventletRuntime)
    http_timeouts: providers.Provider[HttpTimeouts] = providers.Singleton(HttpTimeouts)
    metrics: providers.Provider[PrometheusMetrics] = providers.Singleton(PrometheusMetrics)
    sharing: providers.Provider[str] = providers.Callable(_sharing, settings)
    redis: providers.Provider[Any] = providers.Singleton(_redis, settings.provided.redis_url)
    news: providers.Provider[Any] = providers.Singleton(_redis_news, redis)
    catalog_store: providers.Provider[CatalogStore] = providers.Selector(
        sharing,
        alone=providers.Singleton(SqliteCatalogStore, settings.provided.database),
        redis=providers.Singleton(_redis_catalog_store, redis, news),
    )
    audio_objects: providers.Provider[AudioSources | None] = providers.Singleton(
        _audio_objects, settings, runtime, clock
    )
    audio_queues: providers.Provider[AudioSources | None] = providers.Selector(
        sharing, alone=providers.Object(None), redis=providers.Singleton(_redis_audio_queues, redis, runtime)
    )
    audio_sources: providers.Provider[AudioSources] = providers.Singleton(
        _audio_places,
        providers.Singleton(FileAudioSources, settings.provided.audio_roots),
        audio_objects,
        audio_queues,
    )

    pace: providers.Provider[Pace] = providers.Singleton(
        Pace, settings.provided.chunk_size, settings.provided.stream_sleep_interval
    )
    catalog: providers.Provider[StreamCatalog] = providers.Singleton(
        StreamCatalog,
        catalog_store,
        audio_sources,
        clock,
        providers.Object(_make_epoch),
        settings.provided.max_streams,
    )
    streamer: providers.Provider[ChunkStreamer] = providers.Singleton(ChunkStreamer, pace)
    batches: providers.Provider[BatchCache] = providers.Singleton(BatchCache, pace)
    pool: providers.Provider[AudioPool] = providers.Singleton(AudioPool, audio_sources, batches)
    schedule: providers.Provider[Schedule] = providers.Singleton(Schedule)
    growth: providers.Provider[LiveEdge] = providers.Singleton(
        LiveEdge, pool, schedule, settings.provided.stall_seconds, settings.provided.stall_give_up_seconds
    )
    blocked: providers.Provider[SlowListeners] = providers.Singleton(
        SlowListeners, settings.provided.slow_listener_seconds
    )
    waiting: providers.Provider[WaitingRoom] = providers.Singleton(WaitingRoom, settings.provided.join_wait_seconds)
    expiries: providers.Provider[Expiries] = providers.Singleton(Expiries)
    session_log: providers.Provider[SessionLog] = providers.Singleton(SessionLog, metrics)
    pump: providers.Provider[AudioPump] = providers.Singleton(
        AudioPump,
        streamer,
        pool,
        schedule,
        growth,
        blocked,
        providers.List(waiting, expiries),
        clock,
        session_log,
    )
    token_verifier: providers.Provider[TokenVerifier | None] = providers.Singleton(_token_verifier, settings)
    access: providers.Provider[AccessControl] = providers.Singleton(
        AccessControl, token_verifier, expiries, clock, pump.provided.look_again
    )
    admission: providers.Provider[Admission] = providers.Singleton(
        Admission,
        catalog,
        pool,
        pump,
        waiting,
        clock,
        session_log,
        with_simulation=settings.provided.debug_mode,
    )
    streaming: providers.Provider[StreamingService] = providers.Singleton(
        StreamingService, admission, pump, access, clock, session_log, settings.provided.max_listeners
    )

    bare_app: providers.Provider[Flask] = providers.Singleton(
        http_api.create_app, settings.provided.secret_key, metrics.provided.request_answered
    )
    internal_guard: providers.Provider[http_api.InternalGuard] = providers.Singleton(
        http_api.InternalGuard,
        settings.provided.internal_api_token,
        settings.provided.internal_trusted_networks,
    )
    connections: providers.Provider[ConnectionQuota] = providers.Singleton(
        _connection_quota, settings, internal_guard
    )
    socketio_connections: providers.Provider[ConnectionQuota] = providers.Singleton(
        _connection_quota, settings, internal_guard
    )
    message_queue: providers.Provider[Any] = providers.Selector(
        sharing,
        alone=providers.Object(None),
        redis=providers.Singleton(_redis_message_queue, settings.provided.redis_url),
    )
    socketio: providers.Provider[SocketIO] = providers.Singleton(
        _socketio, bare_app, runtime, settings, message_queue
    )
    engineio_connections: providers.Provider[EngineIoConnections] = providers.Singleton(
        _engineio_connections, socketio, runtime, socketio_connections
    )
    ui_emitter: providers.Provider[UiUpdateEmitter | None] = providers.Singleton(
        _ui_emitter, socketio, settings, engineio_connections
    )
    update_log: providers.Provider[Any] = providers.Selector(
        sharing,
        alone=providers.Singleton(
            InMemoryUpdateLog,
            settings.provided.ui_history_size,
            settings.provided.ui_history_seconds,
            providers.Object(_make_epoch),
        ),
        redis=providers.Singleton(_redis_update_log, redis, news, settings),
    )
    background: providers.Provider[list[Callable[[], object]]] = providers.Selector(
        sharing, alone=providers.List(), redis=providers.List(news.provided.run, update_log.provided.run)
    )
    router: providers.Provider[UiUpdateRouter] = providers.Singleton(
        UiUpdateRouter, ui_emitter, update_log, access, clock, metrics, runtime.provided.spawn
    )
    render_metrics: providers.Provider[Callable[[], bytes]] = providers.Singleton(
        _render_metrics,
        metrics,
        pump,
        streaming,
        blocked,
        catalog_store,
        router,
        providers.Selector(
            sharing,
            alone=providers.Callable(_gauge_of_history, update_log),
            redis=providers.Callable(_gauge_of_news, news),
        ),
        connections,
        socketio_connections,
    )
    readiness: providers.Provider[Readiness] = providers.Singleton(
        Readiness,
        catalog_store,
        audio_sources,
        streaming,
        providers.Selector(sharing, alone=providers.Object("catalog"), redis=providers.Object("redis")),
    )
    namespaces: providers.Provider[list[Namespace]] = providers.Singleton(
        _namespaces, streaming, router, settings, engineio_connections
    )
    documents: providers.Provider[dict[str, Callable[[], dict[str, Any]]]] = providers.Dict(
        openapi=providers.Callable(partial, http_api.openapi_document, asf.__version__),
        asyncapi=providers.Callable(
            partial, realtime_api.asyncapi_document, asf.__version__, settings.provided.ui_updates_namespace
        ),
    )
    console: providers.Provider[list[Blueprint]] = providers.Singleton(_console, settings, internal_guard)
    blueprints: providers.Provider[list[Blueprint]] = providers.List(
        providers.Singleton(http_api.create_internal_streams_blueprint, catalog, internal_guard),
        providers.Singleton(http_api.create_internal_updates_blueprint, router, internal_guard),
        providers.Singleton(http_api.create_playback_blueprint, streaming, settings.provided.cors_allowed_origins),
        providers.Singleton(
            http_api.create_operations_blueprint,
            readiness.provided.problems,
            render_metrics,
            prometheus.CONTENT_TYPE,
            documents,
        ),
    )
    plain_websockets: providers.Provider[realtime_api.PlainWebSocketSessions] = providers.Singleton(
        realtime_api.PlainWebSocketSessions, streaming
    )
    websocket_endpoint: providers.Provider[PlainWebSocketEndpoint] = providers.Singleton(
        _websocket_endpoint, bare_app, socketio, plain_websockets, settings, runtime
    )
    shutdown: providers.Provider[Shutdown] = providers.Singleton(
        Shutdown,
        streaming,
        settings.provided.drain_seconds,
        providers.Callable(_sent_all_of, engineio_connections, websocket_endpoint),
    )
    app: providers.Provider[Flask] = providers.Singleton(
        _server_app,
        bare_app,
        socketio,
        blueprints,
        console,
        namespaces,
        websocket_endpoint,
        socketio_connections,
        streaming,
        metrics,
    )
