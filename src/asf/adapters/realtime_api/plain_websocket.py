"""A stream at its URL, over a plain WebSocket (docs/contract.md, section 5).

Control messages are JSON text, audio is binary.
"""

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from typing import Any

from asf.adapters.realtime_api.commands import COMMANDS
from asf.adapters.realtime_api.messages import CuesRendering, cues_message, error_message, message_of
from asf.adapters.realtime_api.payloads import InvalidPayload, ListenQuerySchema, PayloadError
from asf.adapters.realtime_api.socketio_packets import compact_json
from asf.adapters.realtime_api.transports import WebSocketConnection
from asf.domain.cues.track import CuePiece
from asf.domain.errors import (
    AsfError,
    AudioUnavailable,
    Disconnected,
    Draining,
    EpochChanged,
    GenerationFailed,
    InternalError,
    ListenerError,
    ListenerTooSlow,
    StreamNotFound,
    StreamStalled,
    Throttled,
    TooManyListeners,
    Unauthorized,
)
from asf.domain.peer import Peer
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.events import (
    EndOfStream,
    ListenerEvent,
    SessionStatus,
    SimulatedChunk,
    StatusChanged,
    StreamFailed,
)
from asf.domain.streaming.intake import Intake
from asf.domain.streaming.service import StreamingService

NORMAL_CLOSURE = 1000
GOING_AWAY = 1001
UNSUPPORTED_DATA = 1003
POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013
"""Close codes of RFC 6455, section 7.4.1, and its registry."""

CLOSE_CODES: dict[type[AsfError], int] = {
    PayloadError: UNSUPPORTED_DATA,
    TooManyListeners: TRY_AGAIN_LATER,
    Draining: GOING_AWAY,
    Disconnected: POLICY_VIOLATION,
    Unauthorized: 4401,
    StreamNotFound: 4404,
    AudioUnavailable: 4404,
    ListenerTooSlow: 4408,
    EpochChanged: 4409,
    GenerationFailed: 4410,
    StreamStalled: 4410,
}
"""Close codes of errors; all other errors have `INTERNAL_ERROR` (docs/contract.md, section 5)."""

logger = logging.getLogger(__name__)


def close_code_of(error: AsfError) -> int:
    """Return the close code of `error`."""
    return next((CLOSE_CODES[kind] for kind in type(error).__mro__ if kind in CLOSE_CODES), INTERNAL_ERROR)


_render_cues = CuesRendering(lambda piece: f'{{"event":"stream_cues",{cues_message(piece)[1:]}')


class PlainWebSocketEmitter:
    """Sends a session's events and audio on a plain WebSocket: implements the `ListenerEmitter` port.

    When the session ends, the connection is closed.
    """

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection

    def emit(self, *events: ListenerEvent) -> None:
        """Send `events` to the listener, in order."""
        self._connection.send_texts([_text_of(event) for event in events])
        last = events[-1]
        if isinstance(last, StreamFailed):
            is_read = not isinstance(last.error, ListenerTooSlow)
            self._connection.close(close_code_of(last.error), last.error.error_code, is_read=is_read)
        elif isinstance(last, EndOfStream) or (isinstance(last, StatusChanged) and last.status is SessionStatus.LEFT):
            self._connection.close(NORMAL_CLOSURE, "")

    def together(self) -> AbstractContextManager[None]:
        """Send what is sent in this context in one write, where possible. The caller must not wait meanwhile."""
        return self._connection.corked()

    def send_audio(self, batch: AudioBatch, start: int, stop: int) -> int:
        """Send chunks, and return how many bytes were taken."""
        return self._connection.send_audio(batch, start, stop, "")

    def send_cues(self, piece: CuePiece) -> bool:
        """Send cues if the connection takes them now; return whether it does."""
        return self._connection.try_send_text(_render_cues(piece))

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, as soon as the listener may take audio again."""
        self._connection.when_ready(callback)

    def intake(self) -> Intake:
        """Return how much the listener has taken."""
        return self._connection.intake()

    def peer(self) -> Peer:
        """Return who is connected."""
        return self._connection.peer

    def detach(self) -> None:
        """Cancel the callback."""
        self._connection.when_ready(None)

    def break_off(self) -> None:
        """Close the connection."""
        self._connection.close(INTERNAL_ERROR, InternalError.error_code)


class PlainWebSocketSessions:
    """Serves listeners on plain WebSockets. `serve` runs in the connection's own task.

    `tag` is in the ids of its listeners: no other node has the same.
    """

    def __init__(self, service: StreamingService, tag: str) -> None:
        self._service = service
        self._tag = tag
        self._numbers = count(1)
        self._query_schema = ListenQuerySchema()
        self._commands = {command.name: command for command in COMMANDS}

    def serve(self, connection: WebSocketConnection, stream_id: str, query: Mapping[str, str]) -> None:
        """Serve one connection until it ends."""
        listener_id = f"websocket-{self._tag}-{next(self._numbers)}"
        connection.when_throttled(partial(self._send_error, connection, Throttled()))
        try:
            self._join(listener_id, connection, stream_id, query)
            while (message := connection.receive()) is not None:
                self._handle(listener_id, connection, message)
        finally:
            self._service.disconnect(listener_id)

    def _join(
        self, listener_id: str, connection: WebSocketConnection, stream_id: str, query: Mapping[str, str]
    ) -> None:
        emitter = PlainWebSocketEmitter(connection)
        offset = 0
        try:
            request = self._query_schema.read({**query, "stream_id": stream_id})["request"]
            offset = request.offset
            self._service.join(listener_id, request, emitter)
        except PayloadError as error:
            self._service.reject(stream_id, error, emitter.peer())
            emitter.emit(StreamFailed(stream_id, error, offset))
        except AsfError as error:
            emitter.emit(StreamFailed(stream_id, error, offset))
        except Exception:
            logger.exception("Joining stream %r failed", stream_id)
            emitter.emit(StreamFailed(stream_id, InternalError(), offset))

    def _handle(self, listener_id: str, connection: WebSocketConnection, message: str | bytes) -> None:
        try:
            payload = _object_of(message)
            command = self._commands.get(str(payload.get("event")))
            if command is None:
                raise InvalidPayload(f"event: It must be one of {', '.join(self._commands)}.")
            command.handle(self._service, listener_id, payload)
        except ListenerError as error:
            self._send_error(connection, error)
        except PayloadError as error:
            self._send_error(connection, error)
            self._service.disconnect(listener_id)
            connection.close(close_code_of(error), error.error_code)

    @staticmethod
    def _send_error(connection: WebSocketConnection, error: AsfError) -> None:
        connection.send_texts([compact_json({"event": "error"} | error_message(error))])


def _object_of(message: str | bytes) -> dict[str, Any]:
    if isinstance(message, bytes):
        raise InvalidPayload("The message is binary; it must be JSON text.")
    try:
        payload = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise InvalidPayload("The message is not valid JSON.") from error
    if not isinstance(payload, dict):
        raise InvalidPayload("The message is not a JSON object.")
    return payload


def _text_of(event: ListenerEvent) -> str:
    if isinstance(event, SimulatedChunk):
        return event.text
    name, payload = message_of(event)
    return compact_json(payload if "event" in payload else {"event": name} | payload)
