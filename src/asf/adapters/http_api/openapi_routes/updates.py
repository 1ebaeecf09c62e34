"""The routes of UI updates under /asf/internal/."""

from asf.adapters.http_api import response_schemas
from asf.adapters.http_api.errors import (
    SendUiInvalidPayload,
    SendUiMalformedJson,
    SendUiMissingData,
    UnsupportedMediaType,
)
from asf.adapters.http_api.openapi_routes import tags
from asf.adapters.http_api.openapi_routes.route import INTERNAL, JSON, Route
from asf.adapters.http_api.schemas import SendUiUpdateSchema, SendUiUpdatesSchema
from asf.adapters.http_api.updates.lines import MEDIA_TYPE
from asf.domain import errors

LINES = MEDIA_TYPE

OF_UPDATES = (SendUiMalformedJson, SendUiInvalidPayload)

UPDATES: tuple[Route, ...] = (
    Route(
        "sendUiUpdate",
        tags.UPDATES,
        "post",
        "/asf/internal/send_ui_update",
        "Send a UI update to all subscribers of a client.",
        {JSON: response_schemas.PublishedSchema},
        body=SendUiUpdateSchema,
        errors=(
            errors.Unauthorized,
            *OF_UPDATES,
            errors.InvalidClientId,
            errors.InvalidEventName,
            SendUiMissingData,
            errors.InvalidIdempotencyKey,
            errors.IdempotencyConflict,
            errors.UiNamespaceMissing,
            errors.UiEmitFailed,
        ),
        security=INTERNAL,
    ),
    Route(
        "sendUiUpdates",
        tags.UPDATES,
        "post",
        "/asf/internal/send_ui_updates",
        "Send several UI updates in order; each has its own result. By line, each is published as its line ends.",
        {JSON: response_schemas.ResultsSchema, LINES: response_schemas.AnswerLineSchema},
        body=SendUiUpdatesSchema,
        has_lines=True,
        errors=(
            errors.Unauthorized,
            *OF_UPDATES,
            UnsupportedMediaType,
            errors.TooManyConnections,
            errors.RateLimited,
            errors.Draining,
        ),
        security=INTERNAL,
    ),
)
