"""The real-time API over Socket.IO and plain WebSockets (docs/contract.md, sections 3 to 5)."""

from asf.adapters.realtime_api.asyncapi import asyncapi_document
from asf.adapters.realtime_api.audio_namespace import AudioNamespace
from asf.adapters.realtime_api.namespace import notify_connection
from asf.adapters.realtime_api.plain_websocket import PlainWebSocketSessions
from asf.adapters.realtime_api.socketio_server import create_message_queue, create_socketio
from asf.adapters.realtime_api.ui_namespace import UiUpdatesNamespace
from asf.adapters.realtime_api.ui_update_emitter import SocketIoUiUpdateEmitter

__all__ = [
    "AudioNamespace",
    "PlainWebSocketSessions",
    "SocketIoUiUpdateEmitter",
    "UiUpdatesNamespace",
    "asyncapi_document",
    "create_message_queue",
    "create_socketio",
    "notify_connection",
]
