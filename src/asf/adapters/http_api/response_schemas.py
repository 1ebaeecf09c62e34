"""Response bodies of the HTTP API as marshmallow schemas, for the OpenAPI document."""

from marshmallow import INCLUDE, Schema, fields

from asf.adapters import field_docs as docs
from asf.adapters.http_api.cue_schemas import CueSchema
from asf.adapters.http_api.stream_schemas import StreamSchema
from asf.domain.streams.stream import StreamState


class ErrorSchema(Schema):
    """Any error. `error_code` is stable; `details` says what exactly was wrong, for humans.

    `epoch` is the current one if another was requested.
    """

    error_code = fields.String(required=True, metadata=docs.ERROR_CODE)
    message = fields.String(required=True, metadata=docs.ERROR_MESSAGE)
    details = fields.String(metadata=docs.DETAILS)
    epoch = fields.String(metadata=docs.CURRENT_EPOCH)


class NotifiedSchema(Schema):
    """Response of POST /asf/internal/notify_new_audio."""

    message = fields.String(
        required=True, metadata=docs.described("What was done, for humans.", "Notification received successfully")
    )
    stream_id = fields.String(required=True, metadata=docs.STREAM_ID)
    state = fields.Enum(StreamState, by_value=True, required=True, metadata=docs.STATE)
    epoch = fields.String(required=True, metadata=docs.EPOCH)


class UploadedSchema(NotifiedSchema):
    """Response of PUT and PATCH /asf/internal/streams/{stream_id}/audio."""

    offset = fields.Integer(required=True, metadata=docs.count("How many bytes of the audio the server has.", 265942))


class PageSchema(Schema):
    """One page of a list. `next_cursor` is null on the last page."""

    next_cursor = fields.String(required=True, allow_none=True, metadata=docs.NEXT_CURSOR)


class StreamsSchema(PageSchema):
    """Response of GET /asf/internal/streams. `next_cursor` is null on the last page."""

    streams = fields.List(
        fields.Nested(StreamSchema),
        required=True,
        metadata=docs.described("The streams, ordered by id."),
    )


class DeletedSchema(Schema):
    """Response of DELETE /asf/internal/streams/{stream_id}."""

    message = fields.String(required=True, metadata=docs.described("What was done, for humans.", "Stream deleted"))
    stream_id = fields.String(required=True, metadata=docs.STREAM_ID)


class CuesSchema(Schema):
    """Response of GET /api/v1/podcasts/cues/{stream_id}. `seq` is that of the latest cue of the stream."""

    stream_id = fields.String(required=True, metadata=docs.STREAM_ID)
    epoch = fields.String(required=True, metadata=docs.EPOCH)
    seq = fields.Integer(
        required=True,
        metadata=docs.count("The number of the latest cue of the stream: the `since` of a later request.", 41),
    )
    cues = fields.List(fields.Nested(CueSchema), required=True, metadata=docs.CUES)


class AcceptedCuesSchema(Schema):
    """Response of POST /asf/internal/streams/{stream_id}/cues."""

    accepted = fields.Integer(
        required=True, metadata=docs.described("The number of cues in the request.", 2) | {"minimum": 1}
    )
    total = fields.Integer(required=True, metadata=docs.count("The number of cues that the stream has now.", 1000))
    epoch = fields.String(required=True, metadata=docs.EPOCH)


class PublishedSchema(Schema):
    """Response of POST /asf/internal/send_ui_update."""

    status = fields.Constant(
        "success", required=True, metadata=docs.described("Always `success`.", "success") | {"const": "success"}
    )
    message = fields.String(
        required=True, metadata=docs.described("What was done, for humans.", "UI update sent to client.")
    )
    seq = fields.Integer(required=True, metadata=docs.UPDATE_SEQ | {"minimum": 1})
    epoch = fields.String(required=True, metadata=docs.UPDATE_EPOCH)
    subscribers = fields.Integer(required=True, metadata=docs.SUBSCRIBERS)
    duplicate = fields.Boolean(required=True, metadata=docs.DUPLICATE)


class ResultSchema(Schema):
    """Outcome of one update of several: with `status` `success` or `error`, and the fields of that response."""

    status = fields.String(
        required=True,
        metadata=docs.described("Whether the update was published.", "success", enum=["success", "error"]),
    )
    message = fields.String(
        required=True,
        metadata=docs.described("What was done, or what failed, for humans.", "UI update sent to client."),
    )
    seq = fields.Integer(metadata=docs.UPDATE_SEQ | {"minimum": 1})
    epoch = fields.String(metadata=docs.UPDATE_EPOCH)
    subscribers = fields.Integer(metadata=docs.SUBSCRIBERS)
    duplicate = fields.Boolean(metadata=docs.DUPLICATE)
    error_code = fields.String(metadata=docs.described("The stable code of the error.", "ASF_SENDUI_MISSING_DATA"))
    details = fields.String(
        metadata=docs.described("What exactly was wrong, for humans.", "Missing data for required field.")
    )


class ResultsSchema(Schema):
    """Response of POST /asf/internal/send_ui_updates."""

    results = fields.List(
        fields.Nested(ResultSchema),
        required=True,
        metadata=docs.described("One result for each update, in their order."),
    )


class AnswerLineSchema(ResultSchema):
    """A line of the response to updates by line: the answer to one, with the status of a response of its own.

    With `status` `closed` it is the last one, and says why the request ended before its body: it answers no update.
    """

    status = fields.String(
        required=True,
        metadata=docs.described(
            "Whether the update was published; `closed`: the request ends here.",
            "success",
            enum=["success", "error", "closed"],
        ),
    )
    http_status = fields.Integer(
        required=True,
        metadata=docs.described("The status that a response of its own would have.", 200, minimum=200, maximum=599),
    )


class HealthSchema(Schema):
    """Response of GET /asf/health."""

    status = fields.Constant("ok", required=True, metadata=docs.described("Always `ok`.", "ok") | {"const": "ok"})
    version = fields.String(required=True, metadata=docs.described("The version of ASF.", "0.2.0"))


class ReadySchema(Schema):
    """Response of GET /asf/ready."""

    status = fields.Constant(
        "ready", required=True, metadata=docs.described("Always `ready`.", "ready") | {"const": "ready"}
    )


class OpenApiSchema(Schema):
    """An OpenAPI document."""

    class Meta:
        """marshmallow options."""

        unknown = INCLUDE

    openapi = fields.String(required=True, metadata=docs.described("The version of OpenAPI.", "3.1.0"))


class AsyncApiSchema(Schema):
    """An AsyncAPI document."""

    class Meta:
        """marshmallow options."""

        unknown = INCLUDE

    asyncapi = fields.String(required=True, metadata=docs.described("The version of AsyncAPI.", "3.0.0"))
