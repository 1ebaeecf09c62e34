"""The routes of uploads."""

from http import HTTPStatus

from asf.adapters import field_docs as docs
from asf.adapters.http_api import response_schemas
from asf.adapters.http_api.errors import InvalidHeader, InvalidQuery, PreconditionFailed, UnsupportedMediaType
from asf.adapters.http_api.openapi_routes import tags
from asf.adapters.http_api.openapi_routes.route import INTERNAL, JSON, OF_STREAM, Route
from asf.adapters.http_api.schemas import UploadQuerySchema
from asf.adapters.http_api.uploads import UPLOAD_COMPLETE, UPLOAD_OFFSET
from asf.domain import errors

AUDIO = "audio/*"

UPLOAD_PATH = "/asf/internal/streams/{stream_id}/audio"

OF_UPLOADS = (
    errors.Unauthorized,
    errors.Disconnected,
    InvalidHeader,
    UnsupportedMediaType,
    errors.InvalidStreamId,
    *OF_STREAM,
    errors.CatalogFull,
    errors.UploadTooLarge,
    errors.StorageFull,
    errors.UploadUnavailable,
    errors.UploadEmpty,
    errors.UploadTakenOver,
    errors.EpochChanged,
    errors.GenerationFailed,
    errors.StreamStalled,
    errors.TooManyConnections,
    errors.RateLimited,
    errors.Draining,
)

_COMPLETE = docs.described(
    "?1 (the default): the end of the body is the end of the audio. ?0: more is to follow.", "?1"
)

UPLOADS: tuple[Route, ...] = (
    Route(
        "uploadAudio",
        tags.UPLOADS,
        "put",
        UPLOAD_PATH,
        "Upload the audio of a stream, which listeners hear as it arrives.",
        {JSON: response_schemas.UploadedSchema},
        body_media=AUDIO,
        headers={UPLOAD_COMPLETE: _COMPLETE},
        query=UploadQuerySchema,
        statuses={HTTPStatus.CREATED: "Success; the stream was unknown before."},
        errors=(*OF_UPLOADS, InvalidQuery),
        security=INTERNAL,
    ),
    Route(
        "resumeUpload",
        tags.UPLOADS,
        "patch",
        UPLOAD_PATH,
        "Resume an upload at its offset.",
        {JSON: response_schemas.UploadedSchema},
        body_media=AUDIO,
        headers={
            UPLOAD_OFFSET: docs.described("How many bytes the server has, as HEAD returns it.", "131072"),
            UPLOAD_COMPLETE: _COMPLETE,
            "If-Match": docs.described("The epoch of the upload, as an entity tag.", f'"{docs.EXAMPLE_EPOCH}"'),
        },
        errors=(
            *OF_UPLOADS,
            PreconditionFailed,
            errors.UploadNotFound,
            errors.UploadOffsetMismatch,
            errors.UploadComplete,
        ),
        security=INTERNAL,
    ),
    Route(
        "getUploadOffset",
        tags.UPLOADS,
        "head",
        UPLOAD_PATH,
        f"Get where an upload continues ({UPLOAD_OFFSET}), if it is complete ({UPLOAD_COMPLETE}), and its epoch.",
        {},
        errors=(
            errors.Unauthorized,
            errors.InvalidStreamId,
            *OF_STREAM,
            errors.UploadNotFound,
            errors.GenerationFailed,
            errors.UploadUnavailable,
        ),
        security=INTERNAL,
    ),
)
