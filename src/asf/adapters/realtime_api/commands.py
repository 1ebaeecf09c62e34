"""What a listener may ask of its session, whatever it speaks: one table of names, payloads and what they do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asf.adapters.realtime_api.payloads import AckSchema, PayloadSchema, SeekSchema, SessionCommandSchema
from asf.domain.streaming.service import StreamingService


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to ask for: its name on the plain WebSocket and over Socket.IO, its payload, and what it does."""

    name: str
    socketio_event: str
    summary: str
    schema: PayloadSchema
    run: Callable[[StreamingService, str, Mapping[str, Any]], None]

    def handle(self, service: StreamingService, listener_id: str, payload: Any) -> None:
        """Do it for a listener. Raises a `PayloadError` or a `ListenerError`; then nothing has changed."""
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
        "Stops the sending, until it is resumed.",
        SessionCommandSchema(),
        lambda service, listener_id, fields: service.pause(listener_id, fields["stream_id"]),
    ),
    Command(
        "resume",
        "resume_stream",
        "Goes on with the sending.",
        SessionCommandSchema(),
        lambda service, listener_id, fields: service.resume(listener_id, fields["stream_id"]),
    ),
    Command(
        "seek",
        "seek_stream",
        "Goes on from another byte of the stream.",
        SeekSchema(),
        lambda service, listener_id, fields: service.seek(listener_id, fields["offset"]),
    ),
    Command(
        "ack",
        "audio_ack",
        "Acknowledges all bytes of the stream before a certain one.",
        AckSchema(),
        lambda service, listener_id, fields: service.acknowledge(listener_id, fields["received"]),
    ),
)
