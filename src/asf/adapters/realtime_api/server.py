"""The Socket.IO server."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask
from flask_socketio import SocketIO
from socketio import RedisManager
from socketio.packet import Packet

PING_INTERVAL_SECONDS = 25.0
PING_TIMEOUT_SECONDS = 20.0
"""How often a connection is pinged, and how long its answer may take: Engine.IO's own values."""

MAX_ATTACHMENTS = 1
"""Binary attachments of one event from a client. ASF knows no event with any; one is answered as a wrong payload."""

LOG_LINES = 10
LOG_SECONDS = 10.0
LOG_CHARACTERS = 300
"""How many lines the libraries may log in how many seconds, and how long each may be."""


MESSAGE_QUEUE_CHANNEL = "flask-socketio"
"""Where others emit to the clients of this server: what `SocketIO(message_queue=...)` uses by itself."""


def create_message_queue(url: str, redis_options: Mapping[str, Any]) -> RedisManager:
    """Return the way for other processes to emit to the clients of all servers, through the Redis at `url`.

    Nothing that ASF says itself goes through it: it would be published to every server, and when Redis is lost the
    library only logs that.
    """
    return RedisManager(url, channel=MESSAGE_QUEUE_CHANNEL, redis_options=dict(redis_options))


def create_socketio(
    app: Flask,
    cors_allowed_origins: str | Sequence[str],
    max_message_bytes: int,
    message_queue: RedisManager | None = None,
) -> SocketIO:
    """Return a Socket.IO server in front of `app`, without namespaces yet."""
    return SocketIO(
        app,
        **({} if message_queue is None else {"client_manager": message_queue}),
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
        ping_interval=PING_INTERVAL_SECONDS,
        ping_timeout=PING_TIMEOUT_SECONDS,
        serializer=StrictPacket,
        logger=_library_logger("socketio"),
        engineio_logger=_library_logger("engineio"),
    )


class StrictPacket(Packet):
    """A Socket.IO packet that announces no more attachments than `MAX_ATTACHMENTS`.

    What a packet announces is kept until it is complete.
    """

    @classmethod
    def data_is_binary(cls, data: Any) -> bool:
        """Tell whether there are bytes anywhere in `data`. Every packet asks this; the library's way takes longer."""
        if isinstance(data, dict):
            return any(map(cls.data_is_binary, data.values()))
        if isinstance(data, list):
            return any(map(cls.data_is_binary, data))
        return isinstance(data, bytes | bytearray)

    def decode(self, encoded_packet: Any) -> int:
        """Decode, and return how many attachments follow. Raises ValueError."""
        count: int = super().decode(encoded_packet)
        if count > MAX_ATTACHMENTS:
            raise ValueError(f"{count} binary attachments announced")
        return count


def _library_logger(name: str) -> logging.Logger:
    """Return a logger that lets warnings through, in one short line each, and few of them.

    At INFO these libraries write several lines a packet, and for each packet that makes no sense a whole traceback,
    as an error: a client could fill a disk. What fails in ASF's own handlers is logged by them.
    """
    library_logger = logging.getLogger(f"{__name__}.{name}")
    library_logger.setLevel(logging.WARNING)
    library_logger.addFilter(SparingFilter())
    return library_logger


class SparingFilter(logging.Filter):
    """Makes one short line, a warning, of what a library logs about clients, and lets only so many through."""

    def __init__(self) -> None:
        super().__init__()
        self._period = 0.0
        self._lines = self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, and tell whether it is to be logged."""
        if record.created >= self._period + LOG_SECONDS:
            self._period, self._lines = record.created, 0
        self._lines += 1
        if self._lines > LOG_LINES:
            self._left_out += 1
            return False
        text = record.getMessage()
        if record.exc_info:
            text += f": {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
            record.exc_info = None
        if self._left_out:
            text = f"{self._left_out} like this were left out; {text}"
            self._left_out = 0
        record.msg, record.args = "%s", (_printable(text[:LOG_CHARACTERS]),)
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        return True


def _printable(text: str) -> str:
    """Return text without what could be taken for a line of its own, or for a command to a terminal."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
