"""Requests of the internal API as marshmallow schemas.

A schema checks all fields; the error names the first invalid one, in the schema's order.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate, validates_schema

from asf.adapters import field_docs as docs
from asf.adapters.http_api.errors import (
    InvalidQuery,
    SendUiInvalidPayload,
    SendUiMissingData,
)
from asf.adapters.json_values import MAX_JSON_DEPTH, is_too_deep, parse_json
from asf.adapters.schema_rules import obeys
from asf.domain.errors import (
    AsfError,
    InvalidClientId,
    InvalidEventName,
    InvalidField,
    InvalidFilepath,
    InvalidIdempotencyKey,
    InvalidStreamId,
)
from asf.domain.identifiers import (
    MAX_IDEMPOTENCY_KEY_CHARACTERS,
    MAX_IDENTIFIER_CHARACTERS,
    MAX_REASON_CHARACTERS,
    client_id_problem,
    content_type_problem,
    event_name_problem,
    idempotency_key_problem,
    stream_id_problem,
)
from asf.domain.streams.catalog import Announcement
from asf.domain.streams.stream import Locator, StreamState
from asf.domain.updates.update import UiUpdate

MAX_METADATA_BYTES = 16 * 1024
"""Largest `metadata`, in bytes of JSON (docs/contract.md, section 2)."""

MAX_PAGE = 1000
"""Maximum number of streams on one page."""

MAX_UPDATES = 1000
"""Maximum number of UI updates in one request."""


def _metadata_size(value: dict[str, Any]) -> None:
    length = len(json.dumps(value).encode())
    if length > MAX_METADATA_BYTES:
        raise ValidationError(f"It has {length} bytes; at most {MAX_METADATA_BYTES} are allowed.")


def _encodable(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValidationError("It contains lone surrogates.") from None


IDENTIFIER = {"minLength": 1, "maxLength": MAX_IDENTIFIER_CHARACTERS}
"""Length of identifiers, for the OpenAPI document."""


class RequestSchema(Schema):
    """A request. Unknown fields are ignored; `errors` maps each field to the error for an invalid value."""

    errors: Mapping[str, Callable[[str], AsfError]]

    class Meta:
        """marshmallow options."""

        unknown = EXCLUDE

    def read(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the validated fields. Raises the error of the first invalid field."""
        try:
            loaded: dict[str, Any] = self.load(payload)
        except ValidationError as error:
            problems: Mapping[str, list[str]] = error.messages_dict
            name = next(name for name in self.errors if name in problems)
            raise self.errors[name](" ".join(problems[name])) from error
        return loaded


class FilepathField(fields.String):
    """A file path of an announcement, which loads as its locator: it is located once, and in the order of the fields.

    `locate` raises `InvalidFilepath` for a path that may not be announced.
    """

    locate: Callable[[str], Locator]

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any) -> Any:
        filepath: str = super()._deserialize(value, attr, data, **options)
        if not filepath.strip():
            raise ValidationError("It is empty or only white space.")
        try:
            return self.locate(filepath)
        except InvalidFilepath as error:
            raise ValidationError(str(error.details)) from error


OPTIONAL_FIELDS = ("state", "content_type", "metadata", "reason", "total_bytes")
"""Fields of an announcement that have a default."""

MAX_TOTAL_BYTES = 2**63 - 1
"""Largest size of a file."""


class NotifyNewAudioSchema(RequestSchema):
    """Body of POST /asf/internal/notify_new_audio. `filepath` is required unless the state is failed.

    `locate` raises `InvalidFilepath` for a path that may not be announced. `has_upload` returns whether a stream's
    audio was uploaded: then it is not required either.
    """

    def __init__(
        self, locate: Callable[[str], Locator], has_upload: Callable[[str], bool] = lambda _stream_id: False
    ) -> None:
        super().__init__()
        self._has_upload = has_upload
        filepath = self.fields["filepath"]
        assert isinstance(filepath, FilepathField)  # noqa: S101 - as declared
        filepath.locate = locate

    stream_id = fields.String(required=True, validate=obeys(stream_id_problem), metadata=docs.STREAM_ID)
    filepath = FilepathField(
        load_default=None,
        allow_none=False,
        metadata=docs.described(
            "The audio: a file below ASF_AUDIO_ROOTS, the URL of an object, or a queue. Required unless the state is "
            "`failed`, or the audio was uploaded.",
            "/srv/podcasts/episode-7.mp3",
            "s3://podcasts/episode-7.mp3",
            "queue:episode-7",
        ),
    )
    state = fields.Enum(StreamState, by_value=True, load_default=StreamState.COMPLETE, metadata=docs.STATE)
    content_type = fields.String(
        load_default=None,
        validate=obeys(content_type_problem),
        metadata=docs.described(
            "The media type of the audio; without it, the name or the first bytes show it.", "audio/mpeg"
        ),
    )
    metadata = fields.Dict(
        keys=fields.String(),
        load_default=None,
        validate=_metadata_size,
        metadata=docs.described(
            f"Data for listeners, a JSON object of at most {MAX_METADATA_BYTES} bytes.", {"title": "Episode 7"}
        ),
    )
    reason = fields.String(
        load_default=None,
        validate=[validate.Length(max=MAX_REASON_CHARACTERS), _encodable],
        metadata=docs.described("Why the generation failed, for humans.", "The voice is not available."),
    )
    total_bytes = fields.Integer(
        load_default=None,
        strict=True,
        validate=validate.Range(min=0, max=MAX_TOTAL_BYTES),
        metadata=docs.described(
            "The size of the complete audio, in bytes: the response waits until it is there.", 265942
        ),
    )

    errors = MappingProxyType(
        {
            "stream_id": InvalidStreamId,
            "filepath": InvalidFilepath,
            **{name: partial(InvalidField, field=name) for name in OPTIONAL_FIELDS},
        }
    )

    @validates_schema(skip_on_field_errors=False, pass_original=True)
    def _filepath_needed(self, _values: dict[str, Any], original: Mapping[str, Any], **_options: Any) -> None:
        if "filepath" in original or original.get("state") == StreamState.FAILED:
            return
        stream_id = original.get("stream_id")
        if not isinstance(stream_id, str) or not self._has_upload(stream_id):
            raise ValidationError("Missing data for required field.", "filepath")

    @post_load
    def _announcement(self, values: dict[str, Any], **_options: Any) -> dict[str, Any]:
        locator, total_bytes = values.pop("filepath"), values.pop("total_bytes")
        return {"announcement": Announcement(locator=locator, **values), "total_bytes": total_bytes}


class MetadataField(fields.String):
    """Metadata in a query: the text of a JSON object, which loads as the object."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any) -> Any:
        try:
            loaded = parse_json(super()._deserialize(value, attr, data, **options))
        except (ValueError, RecursionError) as error:
            raise ValidationError(f"It is not valid JSON: {error}.") from error
        if not isinstance(loaded, dict) or is_too_deep(loaded):
            raise ValidationError(f"It is not a JSON object, or nested deeper than {MAX_JSON_DEPTH} levels.")
        return loaded


class UploadQuerySchema(RequestSchema):
    """Query of PUT /asf/internal/streams/{stream_id}/audio."""

    metadata = MetadataField(
        load_default=None,
        validate=_metadata_size,
        metadata=docs.described(
            "Metadata for listeners: a JSON object. Without it, the stream's own stays.", '{"title": "Episode 7"}'
        ),
    )

    errors = MappingProxyType({"metadata": InvalidQuery})


class StreamPageSchema(RequestSchema):
    """Query of GET /asf/internal/streams."""

    limit = fields.Integer(load_default=100, validate=validate.Range(min=1, max=MAX_PAGE), metadata=docs.LIMIT)
    cursor = fields.String(load_default="", metadata=docs.STREAM_CURSOR)

    errors = MappingProxyType({"limit": InvalidQuery, "cursor": InvalidQuery})


class SendUiUpdateSchema(RequestSchema):
    """Body of POST /asf/internal/send_ui_update."""

    client_id = fields.String(required=True, validate=obeys(client_id_problem), metadata=docs.CLIENT_ID)
    event_name = fields.String(required=True, validate=obeys(event_name_problem), metadata=docs.EVENT_NAME)
    data = fields.Raw(required=True, allow_none=True, metadata=docs.UPDATE_DATA)
    idempotency_key = fields.String(
        load_default=None,
        validate=obeys(idempotency_key_problem),
        metadata=docs.described(
            "A key of your choice: within five minutes, the same update with the same key is published once.",
            "episode-7-40",
            minLength=1,
            maxLength=MAX_IDEMPOTENCY_KEY_CHARACTERS,
        ),
    )

    errors = MappingProxyType(
        {
            "client_id": InvalidClientId,
            "event_name": InvalidEventName,
            "data": SendUiMissingData,
            "idempotency_key": InvalidIdempotencyKey,
        }
    )

    @post_load
    def _update(self, values: dict[str, Any], **_options: Any) -> dict[str, Any]:
        return {"update": UiUpdate(**values)}


class SendUiUpdatesSchema(RequestSchema):
    """Body of POST /asf/internal/send_ui_updates. Each update is validated separately, with `SendUiUpdateSchema`."""

    updates = fields.List(
        fields.Raw(allow_none=True),
        required=True,
        validate=validate.Length(min=1, max=MAX_UPDATES),
        metadata=docs.described(
            "The updates, each as a `SendUiUpdate`, in the order in which they are published.", [docs.EXAMPLE_UPDATE]
        ),
    )

    errors = MappingProxyType({"updates": SendUiInvalidPayload})
