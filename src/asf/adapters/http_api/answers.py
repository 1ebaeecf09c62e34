"""The answers of the HTTP side as marshmallow schemas: what the OpenAPI description says of them."""

from marshmallow import INCLUDE, Schema, fields

from asf.adapters.http_api.schemas import StreamSchema
from asf.domain.streams.stream import StreamState


class ErrorSchema(Schema):
    """Any error. `error_code` is stable; `details` tells a person what exactly was wrong."""

    error_code = fields.String(required=True)
    message = fields.String(required=True)
    details = fields.String()


class NotifiedSchema(Schema):
    """Answer of POST /asf/internal/notify_new_audio."""

    message = fields.String(required=True)
    stream_id = fields.String(required=True)
    state = fields.Enum(StreamState, by_value=True, required=True)
    epoch = fields.String(required=True)


class StreamsSchema(Schema):
    """Answer of GET /asf/internal/streams. `next_cursor` is null on the last page."""

    streams = fields.List(fields.Nested(StreamSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class DeletedSchema(Schema):
    """Answer of DELETE /asf/internal/streams/{stream_id}."""

    message = fields.String(required=True)
    stream_id = fields.String(required=True)


class PublishedSchema(Schema):
    """Answer of POST /asf/internal/send_ui_update."""

    status = fields.Constant("success", required=True, metadata={"const": "success"})
    message = fields.String(required=True)
    seq = fields.Integer(required=True, metadata={"minimum": 1})
    epoch = fields.String(required=True)
    subscribers = fields.Integer(required=True, metadata={"minimum": 0})
    duplicate = fields.Boolean(required=True)


class ResultSchema(Schema):
    """What became of one update of several: `status` is `success` or `error`, and the fields are those of either."""

    status = fields.String(required=True, metadata={"enum": ["success", "error"]})
    message = fields.String(required=True)
    seq = fields.Integer(metadata={"minimum": 1})
    epoch = fields.String()
    subscribers = fields.Integer(metadata={"minimum": 0})
    duplicate = fields.Boolean()
    error_code = fields.String()
    details = fields.String()


class ResultsSchema(Schema):
    """Answer of POST /asf/internal/send_ui_updates."""

    results = fields.List(fields.Nested(ResultSchema), required=True)


class HealthSchema(Schema):
    """Answer of GET /asf/health."""

    status = fields.Constant("ok", required=True, metadata={"const": "ok"})


class ReadySchema(Schema):
    """Answer of GET /asf/ready."""

    status = fields.Constant("ready", required=True, metadata={"const": "ready"})


class OpenApiSchema(Schema):
    """A description as OpenAPI has it."""

    class Meta:
        """Options of marshmallow."""

        unknown = INCLUDE

    openapi = fields.String(required=True)


class AsyncApiSchema(Schema):
    """A description as AsyncAPI has it."""

    class Meta:
        """Options of marshmallow."""

        unknown = INCLUDE

    asyncapi = fields.String(required=True)
