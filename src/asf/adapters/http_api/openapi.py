"""The OpenAPI document of the HTTP API, generated from the validating schemas and the table of errors."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from asf.adapters.http_api import openapi_webhooks, response_schemas
from asf.adapters.http_api.errors import (
    HTTP_STATUSES,
    BadRequest,
    MethodNotAllowed,
    PayloadTooLarge,
    RequestTimedOut,
    RouteNotFound,
)
from asf.adapters.http_api.openapi_routes import JSON, LINES, ROUTES, Route
from asf.adapters.http_api.uploads import UPLOAD_OFFSET
from asf.domain import errors
from asf.domain.errors import AsfError

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

BINARY = {"type": "string", "format": "binary"}
"""Schema of a body that is not text."""

UPDATE_LINES = BINARY | {"description": "A `SendUiUpdate` object on each line, each with an answer on a line."}
"""Schema of a body with updates by line: as bytes, since each line that does not fit has its own answer."""

PATH_PARAMETER = re.compile(r"\{(\w+)\}")


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
    openapi_webhooks.add_schema(spec)
    document: dict[str, Any] = spec.to_dict()
    document["webhooks"] = openapi_webhooks.webhooks()
    return document


def _name_of(schema: Any) -> str:
    """Return the component name of a schema: its class name, without the suffix."""
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema")


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": route.summary, "responses": _responses(route)}
    parameters: list[dict[str, Any]] = []
    for name in PATH_PARAMETER.findall(route.path):
        schema = {"type": "string", "minLength": 1}
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    if route.query is not None:
        parameters.append({"in": "query", "schema": route.query})
    for name, description in route.headers.items():
        header = {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}
        parameters.append(header | {"required": name == UPLOAD_OFFSET})
    if parameters:
        operation["parameters"] = parameters
    if route.security:
        operation["security"] = [*({name: []} for name in route.security), {}]
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": route.body}}}
    if route.has_lines:
        operation["requestBody"]["content"][LINES] = {"schema": UPDATE_LINES}
    if route.body_media is not None:
        operation["requestBody"] = {"required": False, "content": {route.body_media: {"schema": BINARY}}}
    return operation


def _responses(route: Route) -> dict[str, Any]:
    content = {media: {"schema": schema} if schema else {} for media, schema in route.content.items()}
    responses: dict[str, Any] = {"200": {"description": "Success."} | ({"content": content} if content else {})}
    for status, description in route.statuses.items():
        responses[str(status.value)] = {"description": description}
        if status in {HTTPStatus.CREATED, HTTPStatus.PARTIAL_CONTENT}:
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
