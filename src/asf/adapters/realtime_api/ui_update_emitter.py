"""The way of UI updates to their subscribers."""

import logging
from typing import Any

from flask_socketio import SocketIO

from asf.domain.errors import UiEmitFailed
from asf.domain.updates import UiUpdate

logger = logging.getLogger(__name__)


class SocketIoUiUpdateEmitter:
    """The way to subscribers over Socket.IO: implements the `UiUpdateEmitter` port."""

    def __init__(self, socketio: SocketIO, namespace: str) -> None:
        self._socketio = socketio
        self._namespace = namespace

    def emit(self, connection_id: str, update: UiUpdate) -> None:
        """Hand `update` to one connection. Raises `UiEmitFailed`."""
        # A tuple holds the arguments of an event. Without it, data of null would become an event without any.
        arguments: tuple[Any, ...] = (update.data,)
        try:
            self._socketio.emit(update.event_name, arguments, to=connection_id, namespace=self._namespace)
        except Exception as error:
            logger.exception("Emitting a UI update failed")
            raise UiEmitFailed(f"{type(error).__name__}: {error}") from error
