"""The Socket.IO side of ASF, on Flask-SocketIO (docs/contract.md, sections 3 and 4)."""

from asf.adapters.socketio_api.audio_namespace import AudioNamespace
from asf.adapters.socketio_api.server import create_socketio
from asf.adapters.socketio_api.ui_namespace import UiUpdatesNamespace
from asf.adapters.socketio_api.ui_update_emitter import SocketIoUiUpdateEmitter

__all__ = ["AudioNamespace", "SocketIoUiUpdateEmitter", "UiUpdatesNamespace", "create_socketio"]
