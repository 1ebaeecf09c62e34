"""Schemas of the routes for operators. Responses are built without them: they are for the OpenAPI document."""

from collections.abc import Callable
from types import MappingProxyType

from marshmallow import Schema, fields, validate

from asf.adapters.http_api.errors import InvalidQuery
from asf.adapters.http_api.response_schemas import PageSchema
from asf.adapters.http_api.schemas import IDENTIFIER, RequestSchema
from asf.domain.identifiers import MAX_IDENTIFIER_CHARACTERS
from asf.domain.operations.entries import Kind, Wait
from asf.domain.peer import Transport

MAX_ENTRIES = 500
"""Maximum number of entries on one page."""

MAX_TEXT_CHARACTERS = 600
"""Longest cursor or name of a node: a cursor may contain a stream id."""

COUNT = {"minimum": 0}


def _text(limit: int = MAX_TEXT_CHARACTERS) -> fields.String:
    return fields.String(
        load_default=None,
        validate=validate.Length(min=1, max=limit),
        metadata={"minLength": 1, "maxLength": limit},
    )


def _invalid(name: str) -> Callable[[str], InvalidQuery]:
    """Return how the error of a parameter is made from its problem."""
    return lambda problem: InvalidQuery(f"{name}: {problem}")


class EntriesQuerySchema(RequestSchema):
    """What all lists for operators have in their query."""

    cursor = fields.String(load_default="", validate=validate.Length(max=MAX_TEXT_CHARACTERS))
    limit = fields.Integer(load_default=100, validate=validate.Range(min=1, max=MAX_ENTRIES))

    errors = MappingProxyType({name: _invalid(name) for name in ("cursor", "limit")})


class SessionsQuerySchema(EntriesQuerySchema):
    """Query of GET /asf/internal/sessions. Several properties: all of them must match."""

    kind = fields.Enum(Kind, by_value=True, load_default=None)
    stream_id = _text(MAX_IDENTIFIER_CHARACTERS)
    client_id = _text(MAX_IDENTIFIER_CHARACTERS)
    address = _text()
    node = _text()

    errors = MappingProxyType(
        {**EntriesQuerySchema.errors}
        | {name: _invalid(name) for name in ("kind", "stream_id", "client_id", "address", "node")}
    )


class NotAnsweringSchema(Schema):
    """A node that has not answered. `last_seen_seconds`: how long ago its latest heartbeat was."""

    node = fields.String(required=True)
    last_seen_seconds = fields.Float(required=True, metadata=COUNT)


class OutcomeSchema(Schema):
    """Which nodes a response lacks, and why others could not be asked (null: they could)."""

    not_answering = fields.List(fields.Nested(NotAnsweringSchema), required=True)
    problem = fields.String(required=True, allow_none=True)


class RedisSchema(Schema):
    """Whether a node reaches Redis, and how long that takes."""

    connected = fields.Boolean(required=True)
    latency_seconds = fields.Float(required=True, allow_none=True, metadata=COUNT)
    problem = fields.String(required=True, allow_none=True)


class NodeSchema(Schema):
    """One node, or one worker process of it.

    `joins_rejected` counts by error code since the start, `longest_turn_seconds` is that of the event loop in the
    last five minutes (null: below 0.02), and `answer_seconds` how long this answer took. `redis` is null without one.
    """

    node = fields.String(required=True)
    host = fields.String(required=True)
    pid = fields.Integer(required=True)
    worker = fields.Integer(required=True, allow_none=True)
    version = fields.String(required=True)
    uptime_seconds = fields.Float(required=True, metadata=COUNT)
    state = fields.String(required=True, metadata={"enum": ["ready", "not_ready", "draining"]})
    problems = fields.List(fields.String(), required=True)
    listeners = fields.Integer(required=True, metadata=COUNT)
    listeners_blocked = fields.Integer(required=True, metadata=COUNT)
    max_listeners = fields.Integer(
        required=True, metadata={"minimum": 1, "description": "With several workers, the limit of all together."}
    )
    subscribers = fields.Integer(required=True, metadata=COUNT)
    uploads = fields.Integer(required=True, metadata=COUNT)
    connections = fields.Integer(required=True, metadata=COUNT)
    bytes_sent = fields.Integer(required=True, metadata=COUNT)
    joins_rejected = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    longest_turn_seconds = fields.Float(required=True, allow_none=True, metadata=COUNT)
    redis = fields.Nested(RedisSchema, required=True, allow_none=True)
    memory_bytes = fields.Integer(required=True, metadata=COUNT)
    answer_seconds = fields.Float(required=True, metadata=COUNT)


class NodesSchema(OutcomeSchema):
    """Response of GET /asf/internal/nodes. `explanations` has one for each code in `joins_rejected`."""

    nodes = fields.List(fields.Nested(NodeSchema), required=True)
    explanations = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class SessionSchema(Schema):
    """A listener, a subscription to the UI updates of a client, or an upload; null: unknown, or does not apply.

    `id` is the `session` of the log lines, `since` in seconds since the Unix epoch. `address` is the TCP peer's;
    `forwarded_for` the X-Forwarded-For that came with the request, which clients can forge. `bytes` is how much audio
    was sent, or taken from an upload. `behind_bytes` exist and were not sent yet; what was sent plays `ahead_seconds`
    longer than real time. A `blocked` client has not read for `silent_seconds`. `waits_for` says what keeps ASF from
    sending more now.
    """

    id = fields.String(required=True)
    kind = fields.Enum(Kind, by_value=True, required=True)
    node = fields.String(required=True)
    since = fields.Float(required=True)
    state = fields.String(required=True)
    stream_id = fields.String(required=True, allow_none=True)
    client_id = fields.String(required=True, allow_none=True)
    transport = fields.Enum(Transport, by_value=True, required=True, allow_none=True)
    address = fields.String(required=True, allow_none=True)
    forwarded_for = fields.String(required=True, allow_none=True)
    epoch = fields.String(required=True, allow_none=True)
    offset = fields.Integer(required=True, allow_none=True, metadata=COUNT)
    bytes = fields.Integer(required=True, allow_none=True, metadata=COUNT)
    behind_bytes = fields.Integer(required=True, allow_none=True, metadata=COUNT)
    ahead_seconds = fields.Float(required=True, allow_none=True, metadata=COUNT)
    blocked = fields.Boolean(required=True)
    waits_for = fields.Enum(Wait, by_value=True, required=True, allow_none=True)
    silent_seconds = fields.Float(required=True, allow_none=True, metadata=COUNT)


class SessionsSchema(PageSchema, OutcomeSchema):
    """Response of GET /asf/internal/sessions. `next_cursor` is null on the last page."""

    sessions = fields.List(fields.Nested(SessionSchema), required=True)


class AudienceSchema(Schema):
    """A stream that has listeners: how many, on which nodes, by which transport, and the audio sent to them."""

    stream_id = fields.String(required=True, metadata=IDENTIFIER)
    listeners = fields.Integer(required=True, metadata={"minimum": 1})
    blocked = fields.Integer(required=True, metadata=COUNT)
    bytes = fields.Integer(required=True, metadata=COUNT)
    transports = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    nodes = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class AudiencesSchema(PageSchema, OutcomeSchema):
    """Response of GET /asf/internal/listeners. `next_cursor` is null on the last page."""

    streams = fields.List(fields.Nested(AudienceSchema), required=True)


class SessionEndedSchema(Schema):
    """Response of DELETE /asf/internal/sessions/{session_id}."""

    message = fields.String(required=True)
    session_id = fields.String(required=True)
    node = fields.String(required=True)
    kind = fields.Enum(Kind, by_value=True, required=True)
