"""Response bodies of the HTTP API as marshmallow schemas, for the OpenAPI document."""

from marshmallow import INCLUDE, Schema, fields

from asf.adapters.http_api.schemas import CueSchema, StreamSchema
from asf.domain.streams.stream import StreamState


class ErrorSchema(Schema):
    """Any error. `error_code` is stable; `details` says what exactly was wrong, for humans.

    `epoch` is the current one if another was requested.
    """

    error_code = fields.String(required=True)
    message = fields.String(required=True)
    details = fields.String()
    epoch = fields.String()


class NotifiedSchema(Schema):
    """Response of POST /asf/internal/notify_new_audio."""

    message = fields.String(required=True)
    stream_id = fields.String(required=True)
    state = fields.Enum(StreamState, by_value=True, required=True)
    epoch = fields.String(required=True)


class UploadedSchema(NotifiedSchema):
    """Response of PUT and PATCH /asf/internal/streams/{stream_id}/audio."""

    offset = fields.Integer(required=True, metadata={"minimum": 0})


class PageSchema(Schema):
    """One page of a list. `next_cursor` is null on the last page."""

    next_cursor = fields.String(required=True, allow_none=True)


class StreamsSchema(PageSchema):
    """Response of GET /asf/internal/streams. `next_cursor` is null on the last page."""

    streams = fields.List(fields.Nested(StreamSchema), required=True)


class DeletedSchema(Schema):
    """Response of DELETE /asf/internal/streams/{stream_id}."""

    message = fields.String(required=True)
    stream_id = fields.String(required=True)


class CuesSchema(Schema):
    """Response of GET /api/v1/podcasts/cues/{stream_id}. `seq` is that of the latest cue of the stream."""

    stream_id = fields.String(required=True)
    epoch = fields.String(required=True)
    seq = fields.Integer(required=True, metadata={"minimum": 0})
    cues = fields.List(fields.Nested(CueSchema), required=True)


class AcceptedCuesSchema(Schema):
    """Response of POST /asf/internal/streams/{stream_id}/cues."""

    accepted = fields.Integer(required=True, metadata={"minimum": 1})
    total = fields.Integer(required=True, metadata={"minimum": 0})
    epoch = fields.String(required=True)


class PublishedSchema(Schema):
    """Response of POST /asf/internal/send_ui_update."""

    status = fields.Constant("success", required=True, metadata={"const": "success"})
    message = fields.String(required=True)
    seq = fields.Integer(required=True, metadata={"minimum": 1})
    epoch = fields.String(required=True)
    subscribers = fields.Integer(required=True, metadata={"minimum": 0})
    duplicate = fields.Boolean(required=True)


class ResultSchema(Schema):
    """Outcome of one update of several: with `status` `success` or `error`, and the fields of that response."""

    status = fields.String(required=True, metadata={"enum": ["success", "error"]})
    message = fields.String(required=True)
    seq = fields.Integer(metadata={"minimum": 1})
    epoch = fields.String()
    subscribers = fields.Integer(metadata={"minimum": 0})
    duplicate = fields.Boolean()
    error_code = fields.String()
    details = fields.String()


class ResultsSchema(Schema):
    """Response of POST /asf/internal/send_ui_updates."""

    results = fields.List(fields.Nested(ResultSchema), required=True)


class AnswerLineSchema(ResultSchema):
    """A line of the response to updates by line: the answer to one, with the status of a response of its own.

    With `status` `closed` it is the last one, and says why the request ended before its body: it answers no update.
    """

    status = fields.String(required=True, metadata={"enum": ["success", "error", "closed"]})
    http_status = fields.Integer(required=True, metadata={"minimum": 200, "maximum": 599})


class HealthSchema(Schema):
    """Response of GET /asf/health."""

    status = fields.Constant("ok", required=True, metadata={"const": "ok"})
    version = fields.String(required=True, metadata={"description": "The version of ASF.", "example": "0.2.0"})


class ReadySchema(Schema):
    """Response of GET /asf/ready."""

    status = fields.Constant("ready", required=True, metadata={"const": "ready"})


class OpenApiSchema(Schema):
    """An OpenAPI document."""

    class Meta:
        """marshmallow options."""

        unknown = INCLUDE

    openapi = fields.String(required=True)


class AsyncApiSchema(Schema):
    """An AsyncAPI document."""

    class Meta:
        """marshmallow options."""

        unknown = INCLUDE

    asyncapi = fields.String(required=True)
