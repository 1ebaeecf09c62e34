"""Streams in responses, as marshmallow schemas."""

from marshmallow import Schema, fields

from asf.adapters import field_docs as docs
from asf.domain.identifiers import MAX_OFFSET
from asf.domain.streams.stream import StreamState


class StreamSchema(Schema):
    """A stream of the catalog, in responses."""

    stream_id = fields.String(metadata=docs.STREAM_ID)
    state = fields.Enum(StreamState, by_value=True, metadata=docs.STATE)
    epoch = fields.String(metadata=docs.EPOCH)
    filepath = fields.String(attribute="locator.text", metadata=docs.FILEPATH)
    content_type = fields.String(
        allow_none=True, metadata=docs.described("The announced media type; null: none.", "audio/mpeg")
    )
    metadata = fields.Dict(allow_none=True, metadata=docs.METADATA)
    reason = fields.String(allow_none=True, metadata=docs.REASON)
    announced_at = fields.Float(metadata=docs.ANNOUNCED_AT)


class DemandSchema(Schema):
    """What the listeners of a stream need, in responses."""

    listeners = fields.Integer(metadata=docs.count("The number of sessions on the stream, waiting ones included.", 1))
    needed_until = fields.Integer(
        allow_none=True,
        metadata=docs.count(
            "The end, as a byte offset, of the audio that one of them needs now; null if there is none.", 4407296
        )
        | {"maximum": MAX_OFFSET},
    )


class StreamWithDemandSchema(StreamSchema, DemandSchema):
    """Response of GET /asf/internal/streams/{stream_id}."""
