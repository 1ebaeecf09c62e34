"""The Socket.IO server, and the way of UI updates into it."""

import logging
from collections.abc import Sequence
from typing import Any

from flask import Flask
from flask_socketio import SocketIO

from asf.domain.errors import UiEmitFailed
from asf.domain.updates import UiUpdate

logger = logging.getLogger(__name__)


def create_socketio(app: Flask, cors_allowed_origins: str | Sequence[str], max_message_bytes: int) -> SocketIO:
    """Return a Socket.IO server in front of `app`, without namespaces yet."""
    return SocketIO(
        app,
        async_mode="eventlet",
        cors_allowed_origins=cors_allowed_origins,
        max_http_buffer_size=max_message_bytes,
        # A connection's events are handled in the order in which they came, without a green thread for each.
        async_handlers=False,
        # Greetings are emitted while connecting; a client must have its acceptance before them.
        always_connect=True,
        # Audio does not compress.
        http_compression=False,
        manage_session=False,
        logger=_library_logger("socketio"),
        engineio_logger=_library_logger("engineio"),
    )


def _library_logger(name: str) -> logging.Logger:
    """Return a logger that lets warnings through: at INFO these libraries write several lines a packet."""
    library_logger = logging.getLogger(f"{__name__}.{name}")
    library_logger.setLevel(logging.WARNING)
    return library_logger


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
