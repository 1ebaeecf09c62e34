"""Messages to clients, as marshmallow schemas for the AsyncAPI description."""

from marshmallow import Schema, fields

from asf.adapters import field_docs as docs
from asf.domain.cues.feed import MAX_PIECE_CUES
from asf.domain.streaming.events import SessionStatus
from asf.domain.streams.stream import StreamState


class GreetingSchema(Schema):
    """The first message on a connection."""

    message = fields.String(
        required=True,
        metadata=docs.described(
            "A greeting, for humans.", "Connected to ASF. Please send join_stream with your stream_id."
        ),
    )


class StatusSchema(Schema):
    """The status of the session. `offset`, the first byte not sent, is present with `server_draining`."""

    status = fields.Enum(
        SessionStatus, by_value=True, required=True, metadata=docs.described("The status of the session.", "joined")
    )
    stream_id = fields.String(required=True, metadata=docs.STREAM_ID)
    message = fields.String(
        required=True, metadata=docs.described("The status, for humans.", "Joined stream strm_abcdef12345.")
    )
    offset = fields.Integer(metadata=docs.NEXT_OFFSET)


class StartOfStreamSchema(Schema):
    """The start of the audio at byte `offset`. `timestamp` is in seconds since 1970.

    `total_bytes` is null while it is unknown.
    """

    event = fields.Constant(
        "start_of_stream",
        required=True,
        metadata=docs.described("Always `start_of_stream`.", "start_of_stream") | {"const": "start_of_stream"},
    )
    stream_id = fields.String(required=True, metadata=docs.STREAM_ID)
    timestamp = fields.Float(required=True, metadata=docs.TIMESTAMP)
    offset = fields.Integer(required=True, metadata=docs.count("The first byte of the audio that follows.", 0))
    total_bytes = fields.Integer(required=True, allow_none=True, metadata=docs.TOTAL_BYTES)
    chunk_size = fields.Integer(
        required=True, metadata=docs.described("The maximum number of bytes in a chunk.", 4096) | {"minimum": 1}
    )
    content_type = fields.String(required=True, metadata=docs.CONTENT_TYPE)
    epoch = fields.String(required=True, metadata=docs.EPOCH)
    state = fields.Enum(StreamState, by_value=True, required=True, metadata=docs.STATE)
    metadata = fields.Dict(required=True, allow_none=True, metadata=docs.METADATA)


class CueSchema(Schema):
    """A cue. `start` and `end` are in seconds from the beginning of the audio, `data` is any JSON value."""

    id = fields.String(metadata=docs.CUE_ID)
    start = fields.Float(required=True, metadata=docs.CUE_START)
    end = fields.Float(metadata=docs.CUE_END)
    text = fields.String(metadata=docs.CUE_TEXT)
    kind = fields.String(metadata=docs.CUE_KIND)
    data = fields.Raw(allow_none=True, metadata=docs.CUE_DATA)


class StreamCuesSchema(Schema):
    """Cues of the stream. `seq`, the number of the last one, is what a listener comes back with (`cues_since`)."""

    stream_id = fields.String(required=True, metadata=docs.STREAM_ID)
    epoch = fields.String(required=True, metadata=docs.EPOCH)
    cues = fields.List(
        fields.Nested(CueSchema), required=True, metadata=docs.CUES | {"minItems": 1, "maxItems": MAX_PIECE_CUES}
    )
    seq = fields.Integer(
        required=True,
        metadata=docs.described("The number of the last cue: the `cues_since` of a later join.", 41) | {"minimum": 1},
    )


class EndOfStreamSchema(Schema):
    """The end of the audio. `timestamp` is in seconds since 1970."""

    event = fields.Constant(
        "end_of_stream",
        required=True,
        metadata=docs.described("Always `end_of_stream`.", "end_of_stream") | {"const": "end_of_stream"},
    )
    stream_id = fields.String(required=True, metadata=docs.STREAM_ID)
    timestamp = fields.Float(required=True, metadata=docs.TIMESTAMP)
    total_bytes = fields.Integer(
        required=True, metadata=docs.count("The size of the complete audio, in bytes.", 265942)
    )


class ErrorSchema(Schema):
    """A request failed. `error_code` is stable, `details` is for people."""

    message = fields.String(required=True, metadata=docs.ERROR_MESSAGE)
    error_code = fields.String(required=True, metadata=docs.ERROR_CODE)
    details = fields.String(metadata=docs.DETAILS)


class StreamErrorSchema(ErrorSchema):
    """The session ended early, or did not start. `offset` is the first byte that was not sent.

    `retryable` tells whether the same request may succeed later; `epoch` is the current one if another was requested.
    """

    stream_id = fields.String(required=True, metadata=docs.STREAM_ID)
    retryable = fields.Boolean(required=True, metadata=docs.RETRYABLE)
    offset = fields.Integer(required=True, metadata=docs.NEXT_OFFSET)
    epoch = fields.String(metadata=docs.CURRENT_EPOCH)


class UiErrorSchema(ErrorSchema):
    """An event failed or, with a `client_id`, the subscription to that client has ended."""

    client_id = fields.String(
        metadata=docs.described(
            "The client to which the subscription has ended; absent otherwise.", docs.EXAMPLE_CLIENT
        )
    )


class SubscribedSchema(Schema):
    """The subscription is active. `epoch` and `seq` are the position of the latest update.

    `recovered` is present if the request had `since`: whether all updates after that position follow.
    """

    status = fields.Constant(
        "success", required=True, metadata=docs.described("Always `success`.", "success") | {"const": "success"}
    )
    client_id = fields.String(required=True, metadata=docs.CLIENT_ID)
    subscribed_to_room = fields.String(
        required=True, metadata=docs.described("The same as `client_id`.", docs.EXAMPLE_CLIENT)
    )
    epoch = fields.String(required=True, metadata=docs.UPDATE_EPOCH)
    seq = fields.Integer(required=True, metadata=docs.count("The number of the latest update; 0: none yet.", 41))
    recovered = fields.Boolean(
        metadata=docs.flag("Whether all updates after `since` follow; absent if the request had none.")
    )
