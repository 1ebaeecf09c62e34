"""The container: the one place where the parts of the server meet."""

from dependency_injector import containers, providers
from flask import Blueprint, Flask
from flask_socketio import SocketIO
from socketio import Namespace

from asf.adapters import http_api, socketio_api
from asf.adapters.audio_files import FileAudioSources
from asf.adapters.eventlet_runtime import engineio_server, transport
from asf.adapters.memory import InMemoryCatalogStore
from asf.adapters.system_clock import SystemClock
from asf.domain import (
    AudioPool,
    AudioPump,
    ChunkStreamer,
    Pace,
    StreamCatalog,
    StreamingService,
    UiUpdateRouter,
)
from asf.domain.ports import AudioSources, CatalogStore, Clock, UiUpdateEmitter
from asf.entrypoints.settings import ANY_ORIGIN, Settings


def _pace(settings: Settings) -> Pace:
    return Pace(settings.chunk_size, settings.stream_sleep_interval)


def _audio_sources(settings: Settings) -> FileAudioSources:
    return FileAudioSources(settings.audio_roots)


def _app(settings: Settings) -> Flask:
    return http_api.create_app(settings.secret_key)


def _socketio(app: Flask, settings: Settings) -> SocketIO:
    origins = settings.cors_allowed_origins
    socketio = socketio_api.create_socketio(
        app, ANY_ORIGIN if origins == [ANY_ORIGIN] else origins, settings.max_message_bytes
    )
    engineio_server.install(socketio.server.eio)
    return socketio


def _ui_emitter(socketio: SocketIO, settings: Settings) -> UiUpdateEmitter | None:
    namespace = settings.ui_updates_namespace
    return socketio_api.SocketIoUiUpdateEmitter(socketio, namespace) if namespace else None


def _namespaces(service: StreamingService, router: UiUpdateRouter, settings: Settings) -> list[Namespace]:
    namespaces: list[Namespace] = [socketio_api.AudioNamespace(service, transport.EngineIoTransport)]
    if settings.ui_updates_namespace:
        namespaces.append(socketio_api.UiUpdatesNamespace(settings.ui_updates_namespace, router))
    return namespaces


def _server_app(app: Flask, socketio: SocketIO, blueprints: list[Blueprint], namespaces: list[Namespace]) -> Flask:
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    for namespace in namespaces:
        # Below Flask-SocketIO, whose handlers set up a Flask request context for every event, to no use here.
        socketio.server.register_namespace(namespace)
    return app


class Container(containers.DeclarativeContainer):
    """Builds each part once. Tests replace parts with `container.<part>.override(...)`."""

    settings: providers.Dependency[Settings] = providers.Dependency(instance_of=Settings)

    clock: providers.Provider[Clock] = providers.Singleton(SystemClock)
    catalog_store: providers.Provider[CatalogStore] = providers.Singleton(InMemoryCatalogStore)
    audio_sources: providers.Provider[AudioSources] = providers.Singleton(_audio_sources, settings)

    pace: providers.Provider[Pace] = providers.Singleton(_pace, settings)
    catalog: providers.Provider[StreamCatalog] = providers.Singleton(StreamCatalog, catalog_store, audio_sources)
    streamer: providers.Provider[ChunkStreamer] = providers.Singleton(ChunkStreamer, pace)
    pool: providers.Provider[AudioPool] = providers.Singleton(AudioPool, audio_sources, pace)
    pump: providers.Provider[AudioPump] = providers.Singleton(AudioPump, streamer, pool, clock)
    streaming: providers.Provider[StreamingService] = providers.Singleton(
        StreamingService, catalog, pool, pump, pace, clock
    )

    bare_app: providers.Provider[Flask] = providers.Singleton(_app, settings)
    socketio: providers.Provider[SocketIO] = providers.Singleton(_socketio, bare_app, settings)
    ui_emitter: providers.Provider[UiUpdateEmitter | None] = providers.Singleton(_ui_emitter, socketio, settings)
    router: providers.Provider[UiUpdateRouter] = providers.Singleton(UiUpdateRouter, ui_emitter)
    namespaces: providers.Provider[list[Namespace]] = providers.Singleton(_namespaces, streaming, router, settings)
    blueprints: providers.Provider[list[Blueprint]] = providers.List(
        providers.Singleton(http_api.create_internal_blueprint, catalog, router),
        providers.Singleton(http_api.create_operations_blueprint),
    )
    app: providers.Provider[Flask] = providers.Singleton(_server_app, bare_app, socketio, blueprints, namespaces)
