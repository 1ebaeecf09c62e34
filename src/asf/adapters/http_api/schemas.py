"""The requests of the internal API as marshmallow schemas.

A schema finds every wrong field; the answer names the first one, in the order in which the schema lists them.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from asf.adapters.http_api.errors import SendUiMissingData
from asf.domain.errors import (
    AsfError,
    InvalidClientId,
    InvalidEventName,
    InvalidFilepath,
    InvalidStreamId,
)
from asf.domain.rules import client_id_problem, event_name_problem, stream_id_problem


def obeys(problem_of: Callable[[str], str | None]) -> Callable[[str], None]:
    """Return a validator that applies one of the domain's rules."""

    def validate(value: str) -> None:
        if problem := problem_of(value):
            raise ValidationError(problem)

    return validate


def _filepath_problem(value: str) -> str | None:
    return None if value.strip() else "It is empty or only white space."


class RequestSchema(Schema):
    """A request body. Unknown fields are ignored; `errors` maps each field to the error that answers for it."""

    errors: Mapping[str, type[AsfError]]

    class Meta:
        """Options of marshmallow."""

        unknown = EXCLUDE

    def read(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the validated fields. Raises the error of the first field that is wrong."""
        try:
            loaded: dict[str, Any] = self.load(payload)
        except ValidationError as error:
            problems: Mapping[str, list[str]] = error.messages_dict
            name = next(name for name in self.errors if name in problems)
            raise self.errors[name](" ".join(problems[name])) from error
        return loaded


class NotifyNewAudioSchema(RequestSchema):
    """Body of POST /asf/internal/notify_new_audio."""

    stream_id = fields.String(required=True, validate=obeys(stream_id_problem))
    filepath = fields.String(required=True, validate=obeys(_filepath_problem))

    errors = MappingProxyType({"stream_id": InvalidStreamId, "filepath": InvalidFilepath})


class SendUiUpdateSchema(RequestSchema):
    """Body of POST /asf/internal/send_ui_update."""

    client_id = fields.String(required=True, validate=obeys(client_id_problem))
    event_name = fields.String(required=True, validate=obeys(event_name_problem))
    data = fields.Raw(required=True, allow_none=True)

    errors = MappingProxyType(
        {"client_id": InvalidClientId, "event_name": InvalidEventName, "data": SendUiMissingData}
    )
