"""The routes of listeners: audio and cues by URL."""

from http import HTTPStatus

from asf.adapters import field_docs as docs
from asf.adapters.http_api import response_schemas
from asf.adapters.http_api.cue_schemas import CuesQuerySchema
from asf.adapters.http_api.cues import CUES_URL
from asf.adapters.http_api.errors import InvalidQuery, PreconditionFailed, RangeNotSatisfiable
from asf.adapters.http_api.openapi_routes import tags
from asf.adapters.http_api.openapi_routes.route import (
    IF_MATCH,
    IF_NONE_MATCH,
    IS_CURRENT,
    JSON,
    OF_STREAM,
    TOKEN,
    Route,
)
from asf.adapters.http_api.playback import STREAM_URL
from asf.domain import errors

AUDIO = "audio/*"

LISTENERS: tuple[Route, ...] = (
    Route(
        "getAudio",
        tags.LISTENERS,
        "get",
        f"{STREAM_URL}{{stream_id}}",
        "Get the audio of a stream; follows audio that is still growing.",
        {AUDIO: None, "application/octet-stream": None},
        headers={
            "Range": docs.described(
                "One range of bytes, also of audio that is growing: it is what exists.", "bytes=0-"
            ),
            "If-Range": docs.described(
                "The entity tag of audio of which the client has a part.", f'W/"{docs.EXAMPLE_EPOCH}"'
            ),
            **IF_MATCH,
            **IF_NONE_MATCH,
        },
        errors=(
            errors.Unauthorized,
            *OF_STREAM,
            errors.AudioUnavailable,
            errors.GenerationFailed,
            errors.StreamStalled,
            errors.EpochChanged,
            PreconditionFailed,
            RangeNotSatisfiable,
            errors.TooManyListeners,
            errors.TooManyConnections,
            errors.RateLimited,
            errors.Draining,
        ),
        statuses={
            HTTPStatus.PARTIAL_CONTENT: "The requested range.",
            HTTPStatus.NOT_MODIFIED: IS_CURRENT,
        },
        security=TOKEN,
    ),
    Route(
        "getCues",
        tags.CUES,
        "get",
        f"{CUES_URL}{{stream_id}}",
        "Get the cues of a stream: as JSON in the order in which they were stored, or as WebVTT in order of time.",
        {JSON: response_schemas.CuesSchema, "text/vtt": None},
        headers=IF_MATCH | IF_NONE_MATCH,
        query=CuesQuerySchema,
        errors=(
            errors.Unauthorized,
            InvalidQuery,
            errors.InvalidStreamId,
            errors.CuesUnavailable,
            *OF_STREAM,
            PreconditionFailed,
        ),
        statuses={HTTPStatus.NOT_MODIFIED: IS_CURRENT},
        security=TOKEN,
    ),
)
