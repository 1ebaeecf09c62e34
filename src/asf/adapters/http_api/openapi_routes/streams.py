"""The routes of streams and cues under /asf/internal/."""

from asf.adapters.http_api import response_schemas
from asf.adapters.http_api.cue_schemas import PostCuesSchema
from asf.adapters.http_api.errors import (
    CuesInvalidPayload,
    CuesMalformedJson,
    InvalidQuery,
    NotifyInvalidPayload,
    NotifyMalformedJson,
)
from asf.adapters.http_api.openapi_routes import tags
from asf.adapters.http_api.openapi_routes.route import INTERNAL, JSON, OF_CATALOG, OF_STREAM, Route
from asf.adapters.http_api.schemas import (
    NotifyNewAudioSchema,
    StreamPageSchema,
)
from asf.adapters.http_api.stream_schemas import StreamWithDemandSchema
from asf.domain import errors
from asf.domain.streams.stream import FileLocator

STREAMS: tuple[Route, ...] = (
    Route(
        "notifyNewAudio",
        tags.STREAMS,
        "post",
        "/asf/internal/notify_new_audio",
        "Announce a stream's audio, or update its state.",
        {JSON: response_schemas.NotifiedSchema},
        body=NotifyNewAudioSchema(locate=FileLocator),
        errors=(
            errors.Unauthorized,
            NotifyMalformedJson,
            NotifyInvalidPayload,
            errors.InvalidStreamId,
            errors.InvalidFilepath,
            errors.InvalidField,
            errors.AudioUnavailable,
            errors.CatalogFull,
            *OF_CATALOG,
        ),
        security=INTERNAL,
    ),
    Route(
        "listStreams",
        tags.STREAMS,
        "get",
        "/asf/internal/streams",
        "List the announced streams, ordered by id.",
        {JSON: response_schemas.StreamsSchema},
        query=StreamPageSchema,
        errors=(errors.Unauthorized, InvalidQuery, *OF_CATALOG),
        security=INTERNAL,
    ),
    Route(
        "getStream",
        tags.STREAMS,
        "get",
        "/asf/internal/streams/{stream_id}",
        "Get a stream, and what its listeners need.",
        {JSON: StreamWithDemandSchema},
        errors=(errors.Unauthorized, *OF_STREAM),
        security=INTERNAL,
    ),
    Route(
        "deleteStream",
        tags.STREAMS,
        "delete",
        "/asf/internal/streams/{stream_id}",
        "Delete a stream, and audio that was uploaded; a file is kept. Current listeners play it to the end.",
        {JSON: response_schemas.DeletedSchema},
        errors=(errors.Unauthorized, *OF_STREAM),
        security=INTERNAL,
    ),
    Route(
        "addCues",
        tags.CUES,
        "post",
        "/asf/internal/streams/{stream_id}/cues",
        "Add cues to a stream: words, sentences, chapters with times. All of them are stored, or none.",
        {JSON: response_schemas.AcceptedCuesSchema},
        body=PostCuesSchema,
        errors=(
            errors.Unauthorized,
            CuesMalformedJson,
            CuesInvalidPayload,
            errors.InvalidStreamId,
            errors.InvalidCue,
            errors.EpochChanged,
            errors.TooManyCues,
            errors.CuesUnavailable,
            *OF_STREAM,
        ),
        security=INTERNAL,
    ),
)
