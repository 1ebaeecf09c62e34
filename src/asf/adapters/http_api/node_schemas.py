"""Schemas of nodes, and of which of them have answered, for the OpenAPI document."""

from marshmallow import Schema, fields

from asf.adapters import field_docs as docs


class NotAnsweringSchema(Schema):
    """A node that has not answered. `last_seen_seconds`: how long ago its latest heartbeat was."""

    node = fields.String(required=True, metadata=docs.NODE)
    last_seen_seconds = fields.Float(
        required=True, metadata=docs.count("How long ago its latest heartbeat was, in seconds.", 4.2)
    )


class OutcomeSchema(Schema):
    """Which nodes a response lacks, and why others could not be asked (null: they could)."""

    not_answering = fields.List(
        fields.Nested(NotAnsweringSchema),
        required=True,
        metadata=docs.described(
            "The nodes that did not answer, which the response lacks.",
            [{"node": docs.EXAMPLE_NODE, "last_seen_seconds": 4.2}],
        ),
    )
    problem = fields.String(required=True, allow_none=True, metadata=docs.PROBLEM)


class RedisSchema(Schema):
    """Whether a node reaches Redis, and how long that takes."""

    connected = fields.Boolean(required=True, metadata=docs.flag("Whether the node reaches Redis."))
    latency_seconds = fields.Float(
        required=True,
        allow_none=True,
        metadata=docs.count("How long Redis takes to answer, in seconds; null: it does not.", 0.0004),
    )
    problem = fields.String(
        required=True,
        allow_none=True,
        metadata=docs.described(
            "Why the node does not reach Redis, for humans; null: it does.", "The connection was refused."
        ),
    )


class NodeSchema(Schema):
    """One node, or one worker process of it.

    `joins_rejected` counts by error code since the start, `longest_turn_seconds` is that of the event loop in the
    last five minutes (null: below 0.02), and `answer_seconds` how long this answer took. `redis` is null without one.
    """

    node = fields.String(required=True, metadata=docs.NODE)
    host = fields.String(required=True, metadata=docs.described("The name of its host.", "web1"))
    pid = fields.Integer(required=True, metadata=docs.described("The id of its process.", 27212))
    worker = fields.Integer(
        required=True,
        allow_none=True,
        metadata=docs.described("The number of the worker process; null without workers.", 0),
    )
    version = fields.String(required=True, metadata=docs.described("The version of ASF.", "0.2.0"))
    uptime_seconds = fields.Float(
        required=True, metadata=docs.count("How long it has been running, in seconds.", 86400.5)
    )
    state = fields.String(
        required=True,
        metadata=docs.described(
            "Whether it accepts listeners, and if it does not, whether it is shutting down.",
            "ready",
            enum=["ready", "not_ready", "draining"],
        ),
    )
    problems = fields.List(
        fields.String(),
        required=True,
        metadata=docs.described("Why it is not ready, for humans.", ["catalog: the database is locked"]),
    )
    listeners = fields.Integer(required=True, metadata=docs.count("Current sessions of listeners.", 120))
    listeners_blocked = fields.Integer(
        required=True, metadata=docs.count("Listeners that do not read what is sent to them.", 2)
    )
    max_listeners = fields.Integer(
        required=True,
        metadata=docs.described(
            "The limit of listeners; with several workers, that of all together.", 10000, minimum=1
        ),
    )
    subscribers = fields.Integer(required=True, metadata=docs.count("Current subscriptions to UI updates.", 40))
    uploads = fields.Integer(required=True, metadata=docs.count("Requests that are uploading audio.", 1))
    connections = fields.Integer(required=True, metadata=docs.count("Open connections.", 170))
    bytes_sent = fields.Integer(required=True, metadata=docs.count("Audio sent since the start, in bytes.", 7340032))
    joins_rejected = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata=docs.described(
            "How many joins were rejected since the start, by error code.", {"ASF_STREAM_NOT_FOUND": 3}
        ),
    )
    latest_rejections = fields.Dict(
        keys=fields.String(),
        values=fields.Float(),
        required=True,
        metadata=docs.described(
            "How long ago the latest join was rejected, in seconds, by error code.", {"ASF_STREAM_NOT_FOUND": 12.5}
        ),
    )
    longest_turn_seconds = fields.Float(
        required=True,
        allow_none=True,
        metadata=docs.count(
            "The longest turn of the event loop in the last five minutes, in seconds; null: below 0.02.", 0.031
        ),
    )
    redis = fields.Nested(
        RedisSchema,
        required=True,
        allow_none=True,
        metadata=docs.described(
            "Its connection to Redis; null without one.",
            {"connected": True, "latency_seconds": 0.0004, "problem": None},
        ),
    )
    memory_bytes = fields.Integer(required=True, metadata=docs.count("Its memory, in bytes.", 83619840))
    answer_seconds = fields.Float(
        required=True, metadata=docs.count("How long this answer took, in seconds.", 0.0025)
    )


class NodesSchema(OutcomeSchema):
    """Response of GET /asf/internal/nodes. `explanations` has one for each code in `joins_rejected`."""

    nodes = fields.List(fields.Nested(NodeSchema), required=True, metadata=docs.described("The nodes that answered."))
    explanations = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata=docs.described(
            "What each code in `joins_rejected` means.", {"ASF_STREAM_NOT_FOUND": "Nobody has announced the stream."}
        ),
    )
