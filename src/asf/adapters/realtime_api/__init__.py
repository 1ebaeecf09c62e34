"""The real-time API over Socket.IO and plain WebSockets (docs/contract.md, sections 3 to 5)."""

from asf.adapters.realtime_api.asyncapi import asyncapi_document
from asf.adapters.realtime_api.audio_namespace import AudioNamespace
from asf.adapters.realtime_api.message_queue import MESSAGE_QUEUE_CHANNEL, MessageQueue
from asf.adapters.realtime_api.namespace import notify_connection, refuse_unknown_namespaces
from asf.adapters.realtime_api.plain_websocket import PlainWebSocketSessions
from asf.adapters.realtime_api.replay_limits import ReplayLimits
from asf.adapters.realtime_api.socketio_server import create_socketio
from asf.adapters.realtime_api.ui_namespace import UiUpdatesNamespace
from asf.adapters.realtime_api.ui_update_emitter import SocketIoUiUpdateEmitter

__all__ = [
    "MESSAGE_QUEUE_CHANNEL",
    "AudioNamespace",
    "MessageQueue",
    "PlainWebSocketSessions",
    "ReplayLimits",
    "SocketIoUiUpdateEmitter",
    "UiUpdatesNamespace",
    "asyncapi_document",
    "create_socketio",
    "notify_connection",
    "refuse_unknown_namespaces",
]
