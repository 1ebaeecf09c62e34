"""The webhooks in the OpenAPI document (docs/contract.md, section 2, "Webhooks")."""

import re
from typing import Any

from apispec import APISpec
from marshmallow import INCLUDE, Schema, fields

from asf.adapters import field_docs as docs
from asf.adapters.http_api.openapi_routes.tags import WEBHOOKS
from asf.domain.streaming.audience_changes import GRACE_SECONDS
from asf.domain.streams.stream import StreamState
from asf.domain.webhooks.event import EventType

SUMMARIES = {
    EventType.FIRST_LISTENER: "A stream has got its first listener; it may not be announced yet.",
    EventType.LAST_LISTENER_LEFT: f"A stream has been without listeners for {GRACE_SECONDS:g} s.",
    EventType.ENDED: "The audio of a stream is complete, or has failed.",
}

HEADERS = {
    "webhook-id": ("The event's id: the same in each attempt.", "string", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"),
    "webhook-timestamp": ("When the attempt was made, in seconds since the Unix epoch.", "integer", 1700000000),
    "webhook-signature": (
        "Signatures, separated by spaces: v1, and the base64 text of HMAC-SHA256 over id.timestamp.body.",
        "string",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}


class EventDataSchema(Schema):
    """What an event is about. `state` and `reason` are those of `stream.ended`."""

    class Meta:
        """marshmallow options: receivers must ignore fields that they do not know."""

        unknown = INCLUDE

    stream_id = fields.String(required=True, metadata=docs.STREAM_ID)
    epoch = fields.String(
        required=True,
        allow_none=True,
        metadata=docs.described(
            "The current epoch at that time; null: the stream is not announced.", docs.EXAMPLE_EPOCH
        ),
    )
    state = fields.Enum(
        StreamState,
        by_value=True,
        metadata=docs.described("The state of the audio: only of `stream.ended`.", "complete"),
    )
    reason = fields.String(
        allow_none=True,
        metadata=docs.described(
            "Why the generation failed, for humans, or null: only of `stream.ended`.", "The voice is not available."
        ),
    )


class StreamEventSchema(Schema):
    """Body of a webhook."""

    class Meta:
        """marshmallow options, as above."""

        unknown = INCLUDE

    id = fields.String(
        required=True,
        metadata=docs.described("The id of the event: the same in each attempt.", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"),
    )
    type = fields.Enum(
        EventType, by_value=True, required=True, metadata=docs.described("What has happened.", "stream.ended")
    )
    timestamp = fields.DateTime(
        required=True,
        format="iso",
        metadata=docs.described("When it happened, in UTC.", "2026-01-31T12:00:00.000000Z"),
    )
    data = fields.Nested(
        EventDataSchema,
        required=True,
        metadata=docs.described(
            "What the event is about.",
            {"stream_id": docs.EXAMPLE_STREAM, "epoch": docs.EXAMPLE_EPOCH, "state": "complete", "reason": None},
        ),
    )


def add_schema(spec: APISpec) -> None:
    """Add the schema of a webhook's body to the components of the document."""
    spec.components.schema("StreamEvent", schema=StreamEventSchema)


def webhooks() -> dict[str, Any]:
    """Return the document's field `webhooks`."""
    return {kind.value: {"post": _operation(kind)} for kind in EventType}


def _operation(kind: EventType) -> dict[str, Any]:
    body = {"schema": {"$ref": "#/components/schemas/StreamEvent"}}
    return {
        "operationId": "on" + "".join(word.capitalize() for word in re.split("[._]", kind.value)),
        "tags": [WEBHOOKS],
        "summary": SUMMARIES[kind],
        "parameters": [
            {
                "in": "header",
                "name": name,
                "required": True,
                "description": text,
                "schema": {"type": of_type, "examples": [example]},
            }
            for name, (text, of_type, example) in HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "2XX": {"description": "The event has arrived."},
            "default": {"description": "The event is sent again later."},
        },
    }
