"""The domain's events in the words of the contract (section 3): an event name and a JSON payload each."""

from typing import Any, assert_never

from asf.domain.errors import AsfError
from asf.domain.events import EndOfStream, Joined, ListenerEvent, StartOfStream, StreamFailed

CONNECTION_ACK = {"message": "Connected to ASF. Please send join_stream with your stream_id."}


def message_of(event: ListenerEvent) -> tuple[str, dict[str, Any]]:
    """Return the name and the payload of the Socket.IO event that tells a listener about `event`."""
    match event:
        case Joined():
            return "stream_status", {
                "status": "joined",
                "stream_id": event.stream_id,
                "message": f"Joined stream {event.stream_id}.",
            }
        case StartOfStream():
            return "audio_control", {
                "event": "start_of_stream",
                "stream_id": event.stream_id,
                "timestamp": event.timestamp,
                "offset": event.offset,
                "total_bytes": event.total_bytes,
                "chunk_size": event.chunk_bytes,
                "content_type": event.content_type,
            }
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
    """Return what every error says, whatever event carries it."""
    message = {"message": error.message, "error_code": error.error_code}
    if error.details is not None:
        message["details"] = error.details
    return message
