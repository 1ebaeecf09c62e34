"""Maps the domain's events to messages of the contract (sections 3 and 5)."""

from collections.abc import Callable
from typing import Any, assert_never
from weakref import WeakKeyDictionary

from asf.adapters.realtime_api.socketio_packets import compact_json
from asf.domain.cues.track import CuePiece
from asf.domain.errors import AsfError, EpochChanged
from asf.domain.streaming.events import (
    EndOfStream,
    ListenerEvent,
    SessionStatus,
    SimulatedChunk,
    StartOfStream,
    StatusChanged,
    StreamFailed,
)

GREETING = "Connected to ASF. Please send join_stream with your stream_id."
"""For those who enter the namespace of audio."""

STATUS_MESSAGES = {
    SessionStatus.JOINED: "Joined stream {}.",
    SessionStatus.WAITING: "Waiting for stream {}.",
    SessionStatus.PAUSED: "Paused stream {}.",
    SessionStatus.RESUMED: "Resumed stream {}.",
    SessionStatus.STALLED: "Stream {} has not grown for a while.",
    SessionStatus.LEFT: "Left stream {}.",
    SessionStatus.SERVER_DRAINING: "The server of stream {} is being shut down.",
}


def message_of(event: ListenerEvent) -> tuple[str, Any]:
    """Return the name and the payload of the Socket.IO event for `event`."""
    match event:
        case StatusChanged():
            status: dict[str, Any] = {
                "status": event.status,
                "stream_id": event.stream_id,
                "message": STATUS_MESSAGES[event.status].format(event.stream_id),
            }
            return "stream_status", status if event.offset is None else status | {"offset": event.offset}
        case StartOfStream():
            return "audio_control", {
                "event": "start_of_stream",
                "stream_id": event.stream_id,
                "timestamp": event.timestamp,
                "offset": event.offset,
                "total_bytes": event.total_bytes,
                "chunk_size": event.chunk_bytes,
                "content_type": event.content_type,
                "epoch": event.epoch,
                "state": event.state,
                "metadata": event.metadata,
            }
        case SimulatedChunk():
            return "audio_chunk", event.text
        case EndOfStream():
            return "audio_control", {
                "event": "end_of_stream",
                "stream_id": event.stream_id,
                "timestamp": event.timestamp,
                "total_bytes": event.total_bytes,
            }
        case StreamFailed():
            return "stream_error", stream_error(event.error, event.stream_id, event.offset)
        case _:
            assert_never(event)


def stream_error(error: AsfError, stream_id: str, offset: int) -> dict[str, Any]:
    """Return the payload of `stream_error`; `offset` is the first byte that was not sent."""
    return error_message(error) | {
        "stream_id": stream_id,
        "retryable": error.retryable,
        "offset": offset,
    }


def error_message(error: AsfError) -> dict[str, Any]:
    """Return the fields that every error message has, whatever its event."""
    message: dict[str, Any] = {"message": error.message, "error_code": error.error_code}
    if error.details is not None:
        message["details"] = error.details
    if isinstance(error, EpochChanged):
        message["epoch"] = error.epoch
    return message


def cues_message(piece: CuePiece) -> str:
    """Return the fields of `stream_cues` as JSON. The cues are JSON already."""
    ids = compact_json({"stream_id": piece.stream_id, "epoch": piece.epoch})
    return f'{ids[:-1]},"cues":{piece.cues_json},"seq":{piece.seq}}}'


class CuesRendering:
    """Renders each piece of cues with `render` once for all listeners that are sent it."""

    def __init__(self, render: Callable[[CuePiece], str]) -> None:
        self._render = render
        self._texts: WeakKeyDictionary[CuePiece, str] = WeakKeyDictionary()

    def __call__(self, piece: CuePiece) -> str:
        """Return the message."""
        text = self._texts.get(piece)
        if text is None:
            text = self._texts[piece] = self._render(piece)
        return text
