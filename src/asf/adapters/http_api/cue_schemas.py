"""Requests and fields of cues as marshmallow schemas (docs/contract.md, section 9)."""

from types import MappingProxyType
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from asf.adapters import field_docs as docs
from asf.adapters.http_api.errors import CuesInvalidPayload, InvalidQuery
from asf.adapters.http_api.schemas import IDENTIFIER, RequestSchema
from asf.domain.cues.cue import MAX_CUE_SECONDS
from asf.domain.identifiers import MAX_OFFSET

MAX_CUES = 1000
"""Maximum number of cues in one request (docs/contract.md, section 9)."""

SECONDS = {"minimum": 0, "maximum": MAX_CUE_SECONDS}
"""Range of times in the audio."""


class CueSchema(Schema):
    """A cue: `start` and `end` are in seconds from the beginning of the audio, `data` is any JSON value.

    Other fields are ignored, and null counts as absent, except for `data`.
    """

    class Meta:
        """marshmallow options."""

        unknown = EXCLUDE

    id = fields.String(allow_none=True, metadata=docs.CUE_ID | IDENTIFIER)
    start = fields.Float(required=True, metadata=docs.CUE_START | SECONDS)
    end = fields.Float(allow_none=True, metadata=docs.CUE_END | SECONDS)
    text = fields.String(allow_none=True, metadata=docs.CUE_TEXT)
    kind = fields.String(allow_none=True, metadata=docs.CUE_KIND | IDENTIFIER)
    data = fields.Raw(allow_none=True, metadata=docs.CUE_DATA)


class UncheckedCue(fields.Nested):
    """A cue as it was sent: any JSON value. `parse_cue` checks it."""

    def _deserialize(self, value: Any, *_arguments: Any, **_options: Any) -> Any:
        return value


class PostCuesSchema(RequestSchema):
    """Body of POST /asf/internal/streams/{stream_id}/cues. Each cue is validated separately, by `parse_cue`."""

    cues = fields.List(
        UncheckedCue(CueSchema, allow_none=True),
        required=True,
        validate=validate.Length(min=1, max=MAX_CUES),
        metadata=docs.CUES,
    )
    epoch = fields.String(load_default=None, allow_none=True, metadata=docs.EXPECTED_EPOCH)

    errors = MappingProxyType({"cues": CuesInvalidPayload, "epoch": CuesInvalidPayload})


class CuesQuerySchema(RequestSchema):
    """Query of GET /api/v1/podcasts/cues/{stream_id}."""

    kind = fields.String(load_default=None, metadata=docs.described("Only cues of this kind.", "word"))
    since = fields.Integer(
        load_default=0,
        validate=validate.Range(min=0, max=MAX_OFFSET),
        metadata=docs.described("Only cues with a `seq` above it.", 41),
    )
    format = fields.String(
        load_default=None,
        validate=validate.OneOf(["json", "vtt"]),
        metadata=docs.described("The format of the response; by default as the header `Accept` prefers.", "vtt"),
    )

    errors = MappingProxyType({"kind": InvalidQuery, "since": InvalidQuery, "format": InvalidQuery})
