"""Schemas of the routes for operators. Responses are built without them: they are for the OpenAPI document."""

from collections.abc import Callable
from types import MappingProxyType

from marshmallow import Schema, fields, validate

from asf.adapters import field_docs as docs
from asf.adapters.http_api.errors import InvalidQuery
from asf.adapters.http_api.node_schemas import OutcomeSchema
from asf.adapters.http_api.response_schemas import PageSchema
from asf.adapters.http_api.schemas import RequestSchema
from asf.domain.identifiers import MAX_IDENTIFIER_CHARACTERS
from asf.domain.operations.entries import Kind, Wait
from asf.domain.peer import Transport

MAX_ENTRIES = 500
"""Maximum number of entries on one page."""

MAX_TEXT_CHARACTERS = 600
"""Longest cursor or name of a node: a cursor may contain a stream id."""


def _text(text: str, example: str, limit: int = MAX_TEXT_CHARACTERS) -> fields.String:
    return fields.String(
        load_default=None,
        validate=validate.Length(min=1, max=limit),
        metadata=docs.described(text, example, minLength=1, maxLength=limit),
    )


def _invalid(name: str) -> Callable[[str], InvalidQuery]:
    """Return how the error of a parameter is made from its problem."""
    return lambda problem: InvalidQuery(f"{name}: {problem}")


class EntriesQuerySchema(RequestSchema):
    """What all lists for operators have in their query."""

    cursor = fields.String(load_default="", validate=validate.Length(max=MAX_TEXT_CHARACTERS), metadata=docs.CURSOR)
    limit = fields.Integer(load_default=100, validate=validate.Range(min=1, max=MAX_ENTRIES), metadata=docs.LIMIT)

    errors = MappingProxyType({name: _invalid(name) for name in ("cursor", "limit")})


class SessionsQuerySchema(EntriesQuerySchema):
    """Query of GET /asf/internal/sessions. Several properties: all of them must match."""

    kind = fields.Enum(
        Kind, by_value=True, load_default=None, metadata=docs.described("Only sessions of this kind.", "listener")
    )
    stream_id = _text("Only sessions of this stream.", docs.EXAMPLE_STREAM, MAX_IDENTIFIER_CHARACTERS)
    client_id = _text("Only subscriptions to this client.", docs.EXAMPLE_CLIENT, MAX_IDENTIFIER_CHARACTERS)
    address = _text(
        "Only sessions from this address, which may be in `address` or in `forwarded_for`.", "203.0.113.9"
    )
    node = _text("Only sessions of this node.", docs.EXAMPLE_NODE)

    errors = MappingProxyType(
        {**EntriesQuerySchema.errors}
        | {name: _invalid(name) for name in ("kind", "stream_id", "client_id", "address", "node")}
    )


class SessionSchema(Schema):
    """A listener, a subscription to the UI updates of a client, or an upload; null: unknown, or does not apply.

    `id` is the `session` of the log lines, `since` in seconds since the Unix epoch. `address` is the TCP peer's;
    `forwarded_for` the X-Forwarded-For that came with the request, which clients can forge. `bytes` is how much audio
    was sent, or taken from an upload. `behind_bytes` exist and were not sent yet; what was sent plays `ahead_seconds`
    longer than real time. A `blocked` client has not read for `silent_seconds`. `waits_for` says what keeps ASF from
    sending more now.
    """

    id = fields.String(required=True, metadata=docs.SESSION_ID)
    kind = fields.Enum(Kind, by_value=True, required=True, metadata=docs.KIND)
    node = fields.String(required=True, metadata=docs.NODE)
    since = fields.Float(
        required=True, metadata=docs.described("When it started, in seconds since the Unix epoch.", 1700000000.0)
    )
    state = fields.String(
        required=True,
        metadata=docs.described(
            "What it does: `joining`, `waiting`, `flowing`, `stalled`, `paused`, `ended`; a subscriber: `live`, "
            "`replaying`; an upload: `uploading`, `finishing`.",
            "flowing",
        ),
    )
    stream_id = fields.String(
        required=True,
        allow_none=True,
        metadata=docs.described("The stream that is heard or uploaded; null for subscribers.", docs.EXAMPLE_STREAM),
    )
    client_id = fields.String(
        required=True,
        allow_none=True,
        metadata=docs.described("The client of a subscription; null for others.", docs.EXAMPLE_CLIENT),
    )
    transport = fields.Enum(Transport, by_value=True, required=True, allow_none=True, metadata=docs.TRANSPORT)
    address = fields.String(
        required=True,
        allow_none=True,
        metadata=docs.described(
            "The address of the TCP peer, which may be a proxy's; null: unknown.", "198.51.100.7"
        ),
    )
    forwarded_for = fields.String(
        required=True,
        allow_none=True,
        metadata=docs.described(
            "The X-Forwarded-For that came with the request, which clients can forge; null: none.", "203.0.113.9"
        ),
    )
    epoch = fields.String(
        required=True,
        allow_none=True,
        metadata=docs.described("The epoch of the audio; null: unknown, or no audio.", docs.EXAMPLE_EPOCH),
    )
    offset = fields.Integer(
        required=True,
        allow_none=True,
        metadata=docs.count("The next byte of the audio; null for subscribers.", 212992),
    )
    bytes = fields.Integer(
        required=True,
        allow_none=True,
        metadata=docs.count(
            "How much audio was sent, or taken from an upload, in bytes; null for subscribers.", 212992
        ),
    )
    behind_bytes = fields.Integer(
        required=True,
        allow_none=True,
        metadata=docs.count("How much audio exists that was not sent yet, in bytes; null: unknown.", 52950),
    )
    ahead_seconds = fields.Float(
        required=True,
        allow_none=True,
        metadata=docs.count("How much longer than real time what was sent plays, in seconds; null: unknown.", 30.5),
    )
    blocked = fields.Boolean(
        required=True, metadata=docs.flag("Whether the client does not read what is sent to it.", example=False)
    )
    waits_for = fields.Enum(
        Wait,
        by_value=True,
        required=True,
        allow_none=True,
        metadata=docs.described("Why nothing more is sent now; null: audio is sent at its pace.", "client"),
    )
    silent_seconds = fields.Float(
        required=True,
        allow_none=True,
        metadata=docs.count(
            "For how long a blocked client has read nothing, in seconds; null: it is not blocked.", 1.5
        ),
    )


class SessionsSchema(PageSchema, OutcomeSchema):
    """Response of GET /asf/internal/sessions. `next_cursor` is null on the last page."""

    sessions = fields.List(
        fields.Nested(SessionSchema),
        required=True,
        metadata=docs.described("The sessions, ordered by node, kind and start."),
    )


class AudienceSchema(Schema):
    """A stream that has listeners: how many, on which nodes, by which transport, and the audio sent to them."""

    stream_id = fields.String(required=True, metadata=docs.STREAM_ID)
    listeners = fields.Integer(
        required=True, metadata=docs.described("How many listeners the stream has.", 2, minimum=1)
    )
    blocked = fields.Integer(
        required=True, metadata=docs.count("How many of them do not read what is sent to them.", 0)
    )
    bytes = fields.Integer(required=True, metadata=docs.count("The audio sent to them, in bytes.", 425984))
    transports = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata=docs.described("How many there are, by transport.", {"http": 1, "websocket": 1}),
    )
    nodes = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata=docs.described("How many there are, by node.", {docs.EXAMPLE_NODE: 2}),
    )


class AudiencesSchema(PageSchema, OutcomeSchema):
    """Response of GET /asf/internal/listeners. `next_cursor` is null on the last page."""

    streams = fields.List(
        fields.Nested(AudienceSchema),
        required=True,
        metadata=docs.described("The streams that have listeners, ordered by id."),
    )


class SessionEndedSchema(Schema):
    """Response of DELETE /asf/internal/sessions/{session_id}."""

    message = fields.String(required=True, metadata=docs.described("What was done, for humans.", "Session ended"))
    session_id = fields.String(required=True, metadata=docs.SESSION_ID)
    node = fields.String(required=True, metadata=docs.NODE)
    kind = fields.Enum(Kind, by_value=True, required=True, metadata=docs.KIND)
