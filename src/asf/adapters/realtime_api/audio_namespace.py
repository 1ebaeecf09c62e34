"""The Socket.IO namespace of audio (docs/contract.md, section 3)."""

import logging
from functools import partial
from typing import Any

from asf.adapters.realtime_api.commands import COMMANDS, Command
from asf.adapters.realtime_api.join_limits import JOINS_AT_ONCE, JOINS_PER_SECOND, JoinLimits
from asf.adapters.realtime_api.listener_emitter import SocketIoListenerEmitter
from asf.adapters.realtime_api.messages import GREETING, error_message, stream_error
from asf.adapters.realtime_api.namespace import FindTransport, StrictNamespace
from asf.adapters.realtime_api.payloads import JoinStreamSchema, PayloadError, stream_id_in
from asf.adapters.realtime_api.transports import SocketIoTransport
from asf.adapters.stream_path import STREAM_PATH
from asf.domain.errors import AsfError, InternalError, ListenerError, RateLimited
from asf.domain.streaming.service import StreamingService

AUDIO_NAMESPACE = STREAM_PATH

logger = logging.getLogger(__name__)


class AudioNamespace(StrictNamespace[SocketIoTransport]):
    """Maps the events of listeners to calls of the `StreamingService`."""

    greeting_event = "connection_ack"
    purpose = "audio"

    def __init__(self, service: StreamingService, find_transport: FindTransport[SocketIoTransport]) -> None:
        super().__init__(AUDIO_NAMESPACE, find_transport, JoinLimits(JOINS_PER_SECOND, JOINS_AT_ONCE), GREETING)
        self._service = service
        self._join_schema = JoinStreamSchema()
        for command in COMMANDS:
            setattr(self, f"on_{command.socketio_event}", partial(self._on_command, command))

    def on_disconnect(self, sid: str, *_reason: Any) -> None:
        """End the session of a listener that has disconnected."""
        self._service.disconnect(sid)

    def on_join_stream(self, sid: str, payload: Any = None, *_more: Any) -> None:
        """Start a session. One that is still being admitted exempts the connection from the join timeout, too."""
        transport = self.transport_of(sid)
        try:
            request = self._join_schema.read_request(payload)
            self.check_join_rate(sid)
        except (PayloadError, RateLimited) as error:
            self._service.reject(stream_id_in(payload), error, None if transport is None else transport.peer)
            self.emit_here(sid, "error", error_message(error))
            return
        if transport is None:
            return
        emitter = SocketIoListenerEmitter(transport, AUDIO_NAMESPACE)
        try:
            self._service.join(sid, request, emitter)
            transport.mark_active()
        except AsfError as error:
            self.emit_here(sid, "stream_error", stream_error(error, request.stream_id, request.offset))
        except Exception:
            logger.exception("Joining stream %r failed", request.stream_id)
            self.emit_here(sid, "stream_error", stream_error(InternalError(), request.stream_id, request.offset))

    def _on_command(self, command: Command, sid: str, payload: Any = None, *_more: Any) -> None:
        try:
            command.handle(self._service, sid, {} if payload is None else payload)
        except (PayloadError, ListenerError) as error:
            self.emit_here(sid, "error", error_message(error))
        except Exception:
            logger.exception("%s failed", command.socketio_event)
            self.emit_here(sid, "error", error_message(InternalError()))
