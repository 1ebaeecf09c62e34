"""The OpenAPI document of the HTTP API, generated from the validating schemas and the table of errors."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from asf.adapters.http_api import response_schemas
from asf.adapters.http_api.errors import (
    HTTP_STATUSES,
    BadRequest,
    InvalidQuery,
    MethodNotAllowed,
    NotifyInvalidPayload,
    NotifyMalformedJson,
    NotReady,
    PayloadTooLarge,
    PreconditionFailed,
    RangeNotSatisfiable,
    RequestTimedOut,
    RouteNotFound,
    SendUiInvalidPayload,
    SendUiMalformedJson,
    SendUiMissingData,
)
from asf.adapters.http_api.playback import STREAM_URL
from asf.adapters.http_api.schemas import (
    NotifyNewAudioSchema,
    SendUiUpdateSchema,
    SendUiUpdatesSchema,
    StreamPageSchema,
    StreamSchema,
)
from asf.domain import errors
from asf.domain.errors import AsfError
from asf.domain.streams.stream import FileLocator

OPENAPI_VERSION = "3.1.0"

EVERY_ROUTE = (BadRequest, RouteNotFound, MethodNotAllowed, RequestTimedOut, PayloadTooLarge, errors.InternalError)
"""Errors of all routes."""

SECURITY_SCHEMES: dict[str, dict[str, str]] = {
    "internalToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "ASF_INTERNAL_API_TOKEN. Not needed by peers in ASF_INTERNAL_TRUSTED_NETWORKS.",
    },
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Token that grants the stream; required if ASF_REQUIRE_TOKENS is True.",
    },
    "tokenInQuery": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "The same token, for players that cannot set headers.",
    },
}

JSON = "application/json"
AUDIO = "audio/*"


@dataclass(frozen=True)
class Route:
    """One operation: its request, its responses, and its errors besides `EVERY_ROUTE`.

    `content` maps the media types of the 200 to their schemas (None if not JSON); `statuses` describes further
    responses, with the same content (206) or none (304). `security` names the alternative security schemes, which may
    be required depending on the settings.
    """

    method: str
    path: str
    summary: str
    content: dict[str, type[Schema] | None]
    body: Schema | type[Schema] | None = None
    query: type[Schema] | None = None
    errors: tuple[type[AsfError], ...] = ()
    statuses: dict[HTTPStatus, str] = field(default_factory=dict)
    security: tuple[str, ...] = ()


_INTERNAL = ("internalToken",)
_OF_CATALOG = (errors.CatalogUnavailable,)
_OF_STREAM = (errors.StreamNotFound, *_OF_CATALOG)
_OF_UPDATES = (SendUiMalformedJson, SendUiInvalidPayload)

ROUTES = (
    Route(
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
            *_OF_CATALOG,
        ),
        security=_INTERNAL,
    ),
    Route(
        "get",
        "/asf/internal/streams",
        "List the announced streams, ordered by id.",
        {JSON: response_schemas.StreamsSchema},
        query=StreamPageSchema,
        errors=(errors.Unauthorized, InvalidQuery, *_OF_CATALOG),
        security=_INTERNAL,
    ),
    Route(
        "get",
        "/asf/internal/streams/{stream_id}",
        "Get a stream.",
        {JSON: StreamSchema},
        errors=(errors.Unauthorized, *_OF_STREAM),
        security=_INTERNAL,
    ),
    Route(
        "delete",
        "/asf/internal/streams/{stream_id}",
        "Delete a stream. Its file is kept, and current listeners play it to the end.",
        {JSON: response_schemas.DeletedSchema},
        errors=(errors.Unauthorized, *_OF_STREAM),
        security=_INTERNAL,
    ),
    Route(
        "post",
        "/asf/internal/send_ui_update",
        "Send a UI update to all subscribers of a client.",
        {JSON: response_schemas.PublishedSchema},
        body=SendUiUpdateSchema,
        errors=(
            errors.Unauthorized,
            *_OF_UPDATES,
            errors.InvalidClientId,
            errors.InvalidEventName,
            SendUiMissingData,
            errors.InvalidIdempotencyKey,
            errors.IdempotencyConflict,
            errors.UiNamespaceMissing,
            errors.UiEmitFailed,
        ),
        security=_INTERNAL,
    ),
    Route(
        "post",
        "/asf/internal/send_ui_updates",
        "Send several UI updates in order; each has its own result.",
        {JSON: response_schemas.ResultsSchema},
        body=SendUiUpdatesSchema,
        errors=(errors.Unauthorized, *_OF_UPDATES),
        security=_INTERNAL,
    ),
    Route(
        "get",
        f"{STREAM_URL}{{stream_id}}",
        "Get the audio of a stream; follows audio that is still growing.",
        {AUDIO: None, "application/octet-stream": None},
        errors=(
            errors.Unauthorized,
            *_OF_STREAM,
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
            HTTPStatus.NOT_MODIFIED: "The client's copy is current.",
        },
        security=("token", "tokenInQuery"),
    ),
    Route("get", "/asf/health", "Liveness check.", {JSON: response_schemas.HealthSchema}),
    Route(
        "get",
        "/asf/ready",
        "Readiness check: whether the server accepts listeners now.",
        {JSON: response_schemas.ReadySchema},
        errors=(NotReady,),
    ),
    Route("get", "/metrics", "All metrics, in Prometheus format.", {"text/plain": None}),
    Route("get", "/asf/openapi.json", "This document.", {JSON: response_schemas.OpenApiSchema}),
    Route(
        "get",
        "/asf/asyncapi.json",
        "The AsyncAPI document of the real-time API.",
        {JSON: response_schemas.AsyncApiSchema},
    ),
)


def openapi_document(version: str) -> dict[str, Any]:
    """Return the OpenAPI document of `ROUTES`; `version` is that of ASF."""
    spec = APISpec(
        title="Audio Stream Feeder",
        version=version,
        openapi_version=OPENAPI_VERSION,
        info={"description": "The HTTP API of ASF. Every error has a stable `error_code`."},
        plugins=[MarshmallowPlugin(schema_name_resolver=_name_of)],
    )
    spec.components.schema("Error", schema=response_schemas.ErrorSchema)
    for name, scheme in SECURITY_SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    for path in dict.fromkeys(route.path for route in ROUTES):
        operations = {route.method: _operation(route) for route in ROUTES if route.path == path}
        spec.path(path, operations=operations)
    document: dict[str, Any] = spec.to_dict()
    return document


def _name_of(schema: Any) -> str:
    """Return the component name of a schema: its class name, without the suffix."""
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema")


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": route.summary, "responses": _responses(route)}
    parameters: list[dict[str, Any]] = []
    if "{stream_id}" in route.path:
        schema = {"type": "string", "minLength": 1}
        parameters.append({"name": "stream_id", "in": "path", "required": True, "schema": schema})
    if route.query is not None:
        parameters.append({"in": "query", "schema": route.query})
    if parameters:
        operation["parameters"] = parameters
    if route.security:
        operation["security"] = [*({name: []} for name in route.security), {}]
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": route.body}}}
    return operation


def _responses(route: Route) -> dict[str, Any]:
    content = {media: {"schema": schema} if schema else {} for media, schema in route.content.items()}
    responses: dict[str, Any] = {"200": {"description": "Success.", "content": content}}
    for status, description in route.statuses.items():
        responses[str(status.value)] = {"description": description}
        if status is HTTPStatus.PARTIAL_CONTENT:
            responses[str(status.value)]["content"] = content
    for status, found in _by_status((*route.errors, *EVERY_ROUTE)).items():
        lines = "\n".join(f"- `{error.error_code}`: {error.message}" for error in found)
        responses[str(status.value)] = {"description": lines, "content": {JSON: {"schema": "Error"}}}
    return responses


def _by_status(found: Iterable[type[AsfError]]) -> dict[HTTPStatus, list[type[AsfError]]]:
    by_status: dict[HTTPStatus, list[type[AsfError]]] = {}
    for error in found:
        by_status.setdefault(HTTP_STATUSES[error], []).append(error)
    return dict(sorted(by_status.items()))
