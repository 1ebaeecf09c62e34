"""Connections: who may connect, Engine.IO and Socket.IO, and the UI updates that they carry."""

from dependency_injector import providers
from flask import Flask
from flask_socketio import SocketIO

from asf.adapters import http_api, realtime_api
from asf.adapters.connection_quota import ConnectionQuota
from asf.adapters.engineio.connections import EngineIoConnections
from asf.domain.updates.ports import UiUpdateEmitter
from asf.domain.updates.router import UiUpdateRouter
from asf.entrypoints import factories, workers
from asf.entrypoints.parts.backends import BackendParts
from asf.entrypoints.parts.storage import StorageParts
from asf.entrypoints.parts.streaming import StreamingParts


class ConnectionParts(BackendParts):
    """Connections: who may connect, Engine.IO and Socket.IO, and the UI updates that they carry."""

    bare_app: providers.Provider[Flask] = providers.Singleton(
        http_api.create_app, StorageParts.settings.provided.secret_key, StorageParts.metrics.provided.request_answered
    )
    internal_guard: providers.Provider[http_api.InternalGuard] = providers.Singleton(
        http_api.InternalGuard,
        StorageParts.settings.provided.internal_api_token,
        StorageParts.settings.provided.internal_trusted_networks,
        StorageParts.settings.provided.allowed_hosts,
        trusts_strangers=StorageParts.settings.provided.internal_api_is_open,
    )
    connections: providers.Provider[ConnectionQuota] = providers.Singleton(
        workers.create_connection_quota,
        StorageParts.settings,
        internal_guard.provided.is_backend,
        StorageParts.place,
        StorageParts.seat,
    )
    socketio_connections: providers.Provider[ConnectionQuota] = providers.Singleton(
        workers.create_socketio_quota,
        StorageParts.settings,
        internal_guard.provided.is_backend,
        StorageParts.place,
        StorageParts.seat,
    )
    beginnings: providers.Provider[ConnectionQuota] = providers.Singleton(
        workers.create_beginnings_quota,
        StorageParts.settings,
        internal_guard.provided.is_backend,
        StorageParts.place,
        StorageParts.seat,
    )
    socketio: providers.Provider[SocketIO] = providers.Singleton(
        factories.create_socketio,
        bare_app,
        StorageParts.runtime,
        StorageParts.settings,
        StorageParts.storage.provided.message_queue,
    )
    engineio_connections: providers.Provider[EngineIoConnections] = providers.Singleton(
        factories.install_engineio,
        socketio,
        StorageParts.runtime,
        socketio_connections,
        beginnings,
        StorageParts.seat,
    )
    replay_limits: providers.Provider[realtime_api.ReplayLimits] = providers.Singleton(realtime_api.ReplayLimits)
    ui_emitter: providers.Provider[UiUpdateEmitter | None] = providers.Singleton(
        factories.create_ui_emitter, socketio, StorageParts.settings, engineio_connections, replay_limits
    )
    router: providers.Provider[UiUpdateRouter] = providers.Singleton(
        UiUpdateRouter,
        ui_emitter,
        StorageParts.update_log,
        StreamingParts.access,
        StorageParts.clock,
        StorageParts.metrics,
        StorageParts.runtime.provided.spawn,
        StorageParts.runtime.provided.checkpoint,
        StorageParts.runtime.provided.pause,
    )
    update_lines: providers.Provider[http_api.UpdateLines] = providers.Singleton(
        http_api.UpdateLines,
        router,
        StorageParts.runtime.provided.checkpoint,
        StorageParts.settings.provided.keepalive_seconds,
    )
    direct_updates: providers.Provider[http_api.DirectUpdates] = providers.Singleton(
        http_api.DirectUpdates, router, internal_guard, StorageParts.metrics.provided.request_answered
    )
