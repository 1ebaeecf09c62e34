"""The Socket.IO server."""

import logging
import re
from typing import Any

from flask import Flask
from flask_socketio import SocketIO
from socketio import PubSubManager
from socketio.packet import Packet

from asf.adapters.origins import OriginRule
from asf.adapters.realtime_api.clients import Clients

PING_INTERVAL_SECONDS = 25.0
PING_TIMEOUT_SECONDS = 20.0
"""Interval between pings of a connection, and timeout of the pong: Engine.IO's defaults."""

MAX_ATTACHMENTS = 1
"""Maximum number of binary attachments of a client's event. ASF's events have none; one is an invalid payload."""

LOG_LINES = 10
LOG_SECONDS = 10.0
LOG_CHARACTERS = 300
"""Maximum number of lines that the libraries may log in a period, the period in seconds, and the longest line."""


def create_socketio(
    app: Flask,
    async_mode: str,
    cors_allowed_origins: str | OriginRule,
    max_message_bytes: int,
    message_queue: PubSubManager | None = None,
) -> SocketIO:
    """Return a Socket.IO server in front of `app`, without namespaces yet.

    `async_mode` is the library's name of the runtime. `cors_allowed_origins` is `*`, or the rule of origins that may
    connect.
    """
    return SocketIO(
        app,
        client_manager=Clients() if message_queue is None else message_queue,
        async_mode=async_mode,
        cors_allowed_origins=cors_allowed_origins,
        max_http_buffer_size=max_message_bytes,
        # A connection's events are handled in the order in which they arrived, without a task for each.
        async_handlers=False,
        # Acknowledgements are emitted while connecting; a client must have the CONNECT packet before them.
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


_PLAIN = re.compile(r"([02])(/[^,?]*),(?=[\[{])")
"""The beginning of a CONNECT or an EVENT in a namespace other than `/`, without an id, in front of its data."""


class StrictPacket(Packet):
    """A Socket.IO packet with at most `MAX_ATTACHMENTS` attachments: the library buffers those that have arrived."""

    def __init__(self, *fields: Any, encoded_packet: Any = None, **named_fields: Any) -> None:
        plain = _PLAIN.match(encoded_packet) if isinstance(encoded_packet, str) else None
        if plain is None:
            super().__init__(*fields, encoded_packet=encoded_packet, **named_fields)
            return
        # What the library makes of such a text, without its detours.
        self.packet_type = int(plain[1])
        self.namespace = plain[2]
        self.id = None
        self.attachment_count = 0
        self.attachments: list[Any] = []
        self.data = self.json.loads(encoded_packet[plain.end() :])

    @classmethod
    def data_is_binary(cls, data: Any) -> bool:
        """Return whether `data` contains bytes. Called for every packet, and faster than the library's method."""
        if isinstance(data, dict):
            return any(map(cls.data_is_binary, data.values()))
        if isinstance(data, list):
            return any(map(cls.data_is_binary, data))
        return isinstance(data, bytes | bytearray)

    def decode(self, encoded_packet: Any) -> int:
        """Decode, and return the number of attachments that follow. Raises ValueError."""
        count: int = super().decode(encoded_packet)
        if count > MAX_ATTACHMENTS:
            raise ValueError(f"{count} binary attachments announced")
        return count


def _library_logger(name: str) -> logging.Logger:
    """Return a logger that passes warnings on, as one short line each, at a limited rate.

    These libraries log several lines per packet at INFO, and a traceback for each malformed packet: a client could
    fill a disk. Failures in ASF's own handlers are logged by those.
    """
    library_logger = logging.getLogger(f"{__name__}.{name}")
    library_logger.setLevel(logging.WARNING)
    library_logger.addFilter(SparingFilter())
    return library_logger


class SparingFilter(logging.Filter):
    """Turns what a library logs about clients into warnings of one short line, and limits their rate."""

    def __init__(self) -> None:
        super().__init__()
        self._period = 0.0
        self._lines = self._omitted = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, and return whether to log it."""
        if record.created >= self._period + LOG_SECONDS:
            self._period, self._lines = record.created, 0
        self._lines += 1
        if self._lines > LOG_LINES:
            self._omitted += 1
            return False
        text = record.getMessage()
        if record.exc_info:
            text += f": {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
            record.exc_info = None
        if self._omitted:
            text = f"{self._omitted} similar lines omitted; {text}"
            self._omitted = 0
        record.msg, record.args = "%s", (text[:LOG_CHARACTERS],)
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        return True
