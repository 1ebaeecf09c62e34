"""Messages to clients, as marshmallow schemas for the AsyncAPI description."""

from marshmallow import Schema, fields

from asf.domain.cues.feed import MAX_PIECE_CUES
from asf.domain.streaming.events import SessionStatus
from asf.domain.streams.stream import StreamState


class GreetingSchema(Schema):
    """The first message on a connection."""

    message = fields.String(required=True)


class StatusSchema(Schema):
    """The status of the session. `offset`, the first byte not sent, is present with `server_draining`."""

    status = fields.Enum(SessionStatus, by_value=True, required=True)
    stream_id = fields.String(required=True)
    message = fields.String(required=True)
    offset = fields.Integer(metadata={"minimum": 0})


class StartOfStreamSchema(Schema):
    """The start of the audio at byte `offset`. `timestamp` is in seconds since 1970.

    `total_bytes` is null while it is unknown.
    """

    event = fields.Constant("start_of_stream", required=True, metadata={"const": "start_of_stream"})
    stream_id = fields.String(required=True)
    timestamp = fields.Float(required=True)
    offset = fields.Integer(required=True, metadata={"minimum": 0})
    total_bytes = fields.Integer(required=True, allow_none=True, metadata={"minimum": 0})
    chunk_size = fields.Integer(required=True, metadata={"minimum": 1})
    content_type = fields.String(required=True)
    epoch = fields.String(required=True)
    state = fields.Enum(StreamState, by_value=True, required=True)
    metadata = fields.Dict(required=True, allow_none=True)


class CueSchema(Schema):
    """A cue. `start` and `end` are in seconds from the beginning of the audio, `data` is any JSON value."""

    id = fields.String()
    start = fields.Float(required=True, metadata={"minimum": 0})
    end = fields.Float(metadata={"minimum": 0})
    text = fields.String()
    kind = fields.String()
    data = fields.Raw(allow_none=True)


class StreamCuesSchema(Schema):
    """Cues of the stream. `seq`, the number of the last one, is what a listener comes back with (`cues_since`)."""

    stream_id = fields.String(required=True)
    epoch = fields.String(required=True)
    cues = fields.List(fields.Nested(CueSchema), required=True, metadata={"minItems": 1, "maxItems": MAX_PIECE_CUES})
    seq = fields.Integer(required=True, metadata={"minimum": 1})


class EndOfStreamSchema(Schema):
    """The end of the audio. `timestamp` is in seconds since 1970."""

    event = fields.Constant("end_of_stream", required=True, metadata={"const": "end_of_stream"})
    stream_id = fields.String(required=True)
    timestamp = fields.Float(required=True)
    total_bytes = fields.Integer(required=True, metadata={"minimum": 0})


class ErrorSchema(Schema):
    """A request failed. `error_code` is stable, `details` is for people."""

    message = fields.String(required=True)
    error_code = fields.String(required=True)
    details = fields.String()


class StreamErrorSchema(ErrorSchema):
    """The session ended early, or did not start. `offset` is the first byte that was not sent.

    `retryable` tells whether the same request may succeed later; `epoch` is the current one if another was requested.
    """

    stream_id = fields.String(required=True)
    retryable = fields.Boolean(required=True)
    offset = fields.Integer(required=True, metadata={"minimum": 0})
    epoch = fields.String()


class UiErrorSchema(ErrorSchema):
    """An event failed or, with a `client_id`, the subscription to that client has ended."""

    client_id = fields.String()


class SubscribedSchema(Schema):
    """The subscription is active. `epoch` and `seq` are the position of the latest update.

    `recovered` is present if the request had `since`: whether all updates after that position follow.
    """

    status = fields.Constant("success", required=True, metadata={"const": "success"})
    client_id = fields.String(required=True)
    subscribed_to_room = fields.String(required=True)
    epoch = fields.String(required=True)
    seq = fields.Integer(required=True, metadata={"minimum": 0})
    recovered = fields.Boolean()
