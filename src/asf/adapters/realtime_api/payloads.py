"""Payloads from clients, as marshmallow schemas, and the errors of invalid ones."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate

from asf.adapters import field_docs as docs
from asf.adapters.schema_rules import obeys
from asf.domain.errors import AsfError
from asf.domain.identifiers import MAX_OFFSET, client_id_problem, stream_id_problem
from asf.domain.streaming.session import ListenRequest
from asf.domain.updates.update import Position


class PayloadError(AsfError):
    """A client's event has an invalid payload."""


class InvalidPayload(PayloadError):
    """The payload of an event is invalid."""

    error_code = "ASF_INVALID_PAYLOAD"
    message = "The payload of this event is not valid."


class InvalidJoin(PayloadError):
    """The payload of `join_stream` has no valid stream id."""

    error_code = "ASF_JOIN_INVALID_PAYLOAD"
    message = "stream_id is required for join_stream."


class InvalidSubscription(PayloadError):
    """The payload of `subscribe_to_ui_updates` has no valid client id."""

    error_code = "ASF_SUBSCRIBE_INVALID_PAYLOAD"
    message = "client_id is required for UI update subscription."


class PayloadSchema(Schema):
    """The payload of an event. Unknown fields are ignored.

    Raises `leading_error` if the field `leading` is invalid or the payload is not an object, else `InvalidPayload`.
    """

    leading: str | None = None
    leading_error: type[PayloadError] = InvalidPayload

    class Meta:
        """Options of marshmallow."""

        unknown = EXCLUDE

    def read(self, payload: Any) -> dict[str, Any]:
        """Return the validated fields of a payload. Raises a `PayloadError`."""
        try:
            loaded: dict[str, Any] = self.load(payload)
        except ValidationError as error:
            problems = error.messages_dict
            details = " ".join(f"{name.lstrip('_')}: {_in_words(texts)}" for name, texts in problems.items())
            leads = self.leading in problems or "_schema" in problems
            raise (self.leading_error if leads else InvalidPayload)(details) from error
        return loaded


def _in_words(problems: Any) -> str:
    if isinstance(problems, dict):
        return " ".join(f"{name.lstrip('_')}: {_in_words(texts)}" for name, texts in problems.items())
    return " ".join(problems)


class Text(fields.String):
    """Text, without conversion: bytes, such as an attachment, are invalid."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class StrictInteger(fields.Integer):
    """An integer, without conversion from other types."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.make_error("invalid")
        return int(super()._deserialize(value, attr, data, **kwargs))


class Flag(fields.Boolean):
    """True or false, without conversion from other types."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return bool(super()._deserialize(value, attr, data, **kwargs))


OFFSET_RANGE = validate.Range(min=0, max=MAX_OFFSET)
WINDOW_RANGE = validate.Range(min=1, max=MAX_OFFSET)


class JoinStreamSchema(PayloadSchema):
    """Payload of `join_stream`."""

    leading = "stream_id"
    leading_error = InvalidJoin

    stream_id = Text(required=True, validate=obeys(stream_id_problem), metadata=docs.STREAM_ID)
    offset = StrictInteger(load_default=0, validate=OFFSET_RANGE, metadata=docs.OFFSET)
    epoch = Text(load_default=None, allow_none=True, metadata=docs.EXPECTED_EPOCH)
    window = StrictInteger(load_default=None, allow_none=True, validate=WINDOW_RANGE, metadata=docs.WINDOW)
    wait = Flag(load_default=False, metadata=docs.WAIT)
    cues = Flag(load_default=False, metadata=docs.WITH_CUES)
    cues_since = StrictInteger(load_default=0, validate=OFFSET_RANGE, metadata=docs.CUES_SINCE)
    token = fields.Raw(load_default=None, allow_none=True, metadata=docs.TOKEN)

    @post_load
    def _request(self, values: dict[str, Any], **_options: Any) -> dict[str, Any]:
        return {"request": ListenRequest(**values)}

    def read_request(self, payload: Any) -> ListenRequest:
        """Return what is asked for, as `read` does. Raises a `PayloadError`.

        What is valid at a glance does not take the schema's way, which is long.
        """
        if isinstance(payload, dict) and all(
            name in _IS_VALID and _IS_VALID[name](value) for name, value in payload.items()
        ):
            with suppress(TypeError):  # It has no stream id.
                return ListenRequest(**payload)
        request: ListenRequest = self.read(payload)["request"]
        return request


def _is_offset(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_OFFSET


_IS_VALID: dict[str, Callable[[Any], bool]] = {
    "stream_id": lambda value: isinstance(value, str) and stream_id_problem(value) is None,
    "offset": _is_offset,
    "epoch": lambda value: value is None or isinstance(value, str),
    "window": lambda value: value is None or (_is_offset(value) and value > 0),
    "wait": lambda value: isinstance(value, bool),
    "cues": lambda value: isinstance(value, bool),
    "cues_since": _is_offset,
    "token": lambda _value: True,
}
"""Whether a field of `JoinStreamSchema` is certainly valid."""


def stream_id_in(payload: Any) -> str:
    """Return the stream id of a join whose payload may be invalid; empty if it has none."""
    stream_id = payload.get("stream_id") if isinstance(payload, dict) else None
    return stream_id if isinstance(stream_id, str) else ""


class ListenQuerySchema(PayloadSchema):
    """Query of the stream's URL, whose values are text, and the stream id of its path."""

    stream_id = fields.String(required=True, validate=obeys(stream_id_problem), metadata=docs.STREAM_ID)
    offset = fields.Integer(load_default=0, validate=OFFSET_RANGE, metadata=docs.OFFSET)
    epoch = fields.String(load_default=None, metadata=docs.EXPECTED_EPOCH)
    window = fields.Integer(load_default=None, validate=WINDOW_RANGE, metadata=docs.WINDOW)
    wait = fields.Boolean(load_default=False, metadata=docs.WAIT)
    cues = fields.Boolean(load_default=False, metadata=docs.WITH_CUES)
    cues_since = fields.Integer(load_default=0, validate=OFFSET_RANGE, metadata=docs.CUES_SINCE)
    token = fields.String(load_default=None, metadata=docs.TOKEN)

    @post_load
    def _request(self, values: dict[str, Any], **_options: Any) -> dict[str, Any]:
        return {"request": ListenRequest(**values)}


class SessionCommandSchema(PayloadSchema):
    """Payload of `leave_stream`, `pause_stream` and `resume_stream`."""

    stream_id = Text(
        load_default=None,
        allow_none=True,
        metadata=docs.described("The stream; null or absent: the one that is joined.", docs.EXAMPLE_STREAM),
    )


class SeekSchema(PayloadSchema):
    """Payload of `seek_stream`."""

    offset = StrictInteger(
        required=True, validate=OFFSET_RANGE, metadata=docs.described("The byte from which to continue.", 131072)
    )


class AckSchema(PayloadSchema):
    """Payload of `audio_ack`."""

    received = StrictInteger(
        required=True,
        validate=OFFSET_RANGE,
        metadata=docs.described("Everything before this byte of the stream has arrived.", 131072),
    )


class PositionSchema(Schema):
    """A position in the updates of a client, as in `since`."""

    class Meta:
        """Options of marshmallow."""

        unknown = EXCLUDE

    epoch = Text(required=True, metadata=docs.UPDATE_EPOCH)
    seq = StrictInteger(
        required=True,
        validate=OFFSET_RANGE,
        metadata=docs.count("The number of the last update that was received; 0: none.", 41),
    )

    @post_load
    def _position(self, values: dict[str, Any], **_options: Any) -> Position:
        return Position(**values)


class UnsubscribeSchema(PayloadSchema):
    """Payload of `unsubscribe_from_ui_updates`."""

    leading = "client_id"
    leading_error = InvalidSubscription

    client_id = Text(required=True, validate=obeys(client_id_problem), metadata=docs.CLIENT_ID)


class SubscribeSchema(UnsubscribeSchema):
    """Payload of `subscribe_to_ui_updates`."""

    since = fields.Nested(
        PositionSchema,
        load_default=None,
        allow_none=True,
        metadata=docs.described(
            "The last position that the client knows, after which updates are replayed; null or absent: no replay.",
            {"epoch": docs.EXAMPLE_EPOCH, "seq": 41},
        ),
    )
    token = fields.Raw(load_default=None, allow_none=True, metadata=docs.TOKEN)
