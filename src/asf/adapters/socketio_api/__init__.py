"""The Socket.IO side of ASF, on Flask-SocketIO (CONTRACT sections 3 and 4)."""

from asf.adapters.socketio_api.audio_namespace import AudioNamespace
from asf.adapters.socketio_api.gateway import SocketIoUiUpdateEmitter, create_socketio
from asf.adapters.socketio_api.transport import AudioTransport
from asf.adapters.socketio_api.ui_namespace import UiUpdatesNamespace

__all__ = [
    "AudioNamespace",
    "AudioTransport",
    "SocketIoUiUpdateEmitter",
    "UiUpdatesNamespace",
    "create_socketio",
]
