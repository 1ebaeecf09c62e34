"""What clients send, as marshmallow schemas, and the errors for what is not that."""

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from asf.domain.errors import AsfError
from asf.domain.rules import client_id_problem


class PayloadError(AsfError):
    """A client's event has a payload of the wrong shape."""


class InvalidJoin(PayloadError):
    """The payload of `join_stream` is not what it should be."""

    error_code = "ASF_JOIN_INVALID_PAYLOAD"
    message = "stream_id is required for join_stream."


class InvalidSubscription(PayloadError):
    """The payload of `subscribe_to_ui_updates` is not what it should be."""

    error_code = "ASF_SUBSCRIBE_INVALID_PAYLOAD"
    message = "client_id is required for UI update subscription."


class PayloadSchema(Schema):
    """The payload of an event. Unknown fields are ignored; anything wrong raises `error_class`."""

    error_class: type[PayloadError]

    class Meta:
        """Options of marshmallow."""

        unknown = EXCLUDE

    def read(self, arguments: tuple[Any, ...]) -> dict[str, Any]:
        """Return the validated fields of an event's first argument. Raises `error_class`."""
        if not arguments:
            raise self.error_class("The event has no payload.")
        try:
            loaded: dict[str, Any] = self.load(arguments[0])
        except ValidationError as error:
            problems = [f"{name.lstrip('_')}: {' '.join(texts)}" for name, texts in error.messages_dict.items()]
            raise self.error_class(" ".join(problems)) from error
        return loaded


def _stream_id_given(value: str) -> None:
    if not value.strip():
        raise ValidationError("It is empty or only white space.")


def _client_id_rule(value: str) -> None:
    if problem := client_id_problem(value):
        raise ValidationError(problem)


class Text(fields.String):
    """Text, and nothing that could be decoded to text: an attachment is none."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class JoinStreamSchema(PayloadSchema):
    """Payload of `join_stream`."""

    error_class = InvalidJoin

    stream_id = Text(required=True, validate=_stream_id_given)


class SubscribeSchema(PayloadSchema):
    """Payload of `subscribe_to_ui_updates`."""

    error_class = InvalidSubscription

    client_id = Text(required=True, validate=_client_id_rule)
