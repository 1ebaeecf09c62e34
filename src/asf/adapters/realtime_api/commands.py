"""The commands of listeners to their sessions, the same over Socket.IO and plain WebSocket."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asf.adapters.realtime_api.payloads import AckSchema, PayloadSchema, SeekSchema, SessionCommandSchema
from asf.domain.streaming.service import StreamingService


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name on the plain WebSocket and over Socket.IO, its payload, and its effect."""

    name: str
    socketio_event: str
    summary: str
    schema: PayloadSchema
    run: Callable[[StreamingService, str, Mapping[str, Any]], None]

    def handle(self, service: StreamingService, listener_id: str, payload: Any) -> None:
        """Run the command for a listener. Raises a `PayloadError` or a `ListenerError`; then it has had no effect."""
        self.run(service, listener_id, self.schema.read(payload))


COMMANDS = (
    Command(
        "leave",
        "leave_stream",
        "Ends the session.",
        SessionCommandSchema(),
        lambda service, listener_id, fields: service.leave(listener_id, fields["stream_id"]),
    ),
    Command(
        "pause",
        "pause_stream",
        "Pauses delivery until `resume`.",
        SessionCommandSchema(),
        lambda service, listener_id, fields: service.pause(listener_id, fields["stream_id"]),
    ),
    Command(
        "resume",
        "resume_stream",
        "Resumes delivery.",
        SessionCommandSchema(),
        lambda service, listener_id, fields: service.resume(listener_id, fields["stream_id"]),
    ),
    Command(
        "seek",
        "seek_stream",
        "Continues from another offset of the stream.",
        SeekSchema(),
        lambda service, listener_id, fields: service.seek(listener_id, fields["offset"]),
    ),
    Command(
        "ack",
        "audio_ack",
        "Acknowledges all bytes of the stream before an offset.",
        AckSchema(),
        lambda service, listener_id, fields: service.acknowledge(listener_id, fields["received"]),
    ),
)
