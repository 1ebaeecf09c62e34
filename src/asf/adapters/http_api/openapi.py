"""The OpenAPI document of the HTTP API, generated from the validating schemas and the table of errors."""

import re
from http import HTTPStatus
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from asf.adapters import field_docs as docs
from asf.adapters.http_api import openapi_webhooks, response_schemas
from asf.adapters.http_api.openapi_errors import ErrorResponses
from asf.adapters.http_api.openapi_routes import JSON, LINES, ROUTES, Route
from asf.adapters.http_api.openapi_routes.tags import TAGS
from asf.adapters.http_api.uploads import UPLOAD_OFFSET

OPENAPI_VERSION = "3.1.0"

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

PATH_PARAMETERS = {
    "stream_id": docs.STREAM_ID,
    "session_id": docs.SESSION_ID,
    "name": docs.described("The name of the file."),
}
"""Descriptions of the variable parts of paths."""


def openapi_document(version: str) -> dict[str, Any]:
    """Return the OpenAPI document of `ROUTES`; `version` is that of ASF."""
    spec = APISpec(
        title="Audio Stream Feeder",
        version=version,
        openapi_version=OPENAPI_VERSION,
        info={"description": "The HTTP API of ASF. Every error has a stable `error_code`."},
        tags=[{"name": tag, "description": text} for tag, text in TAGS.items()],
        plugins=[MarshmallowPlugin(schema_name_resolver=_name_of)],
    )
    spec.components.schema("Error", schema=response_schemas.ErrorSchema)
    for name, scheme in SECURITY_SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    errors = ErrorResponses(spec, ROUTES)
    for path in dict.fromkeys(route.path for route in ROUTES):
        operations = {route.method: _operation(route, errors) for route in ROUTES if route.path == path}
        spec.path(path, operations=operations)
    openapi_webhooks.add_schema(spec)
    document: dict[str, Any] = spec.to_dict()
    document["webhooks"] = openapi_webhooks.webhooks()
    return document


def _name_of(schema: Any) -> str:
    """Return the component name of a schema: its class name, without the suffix."""
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema")


def _operation(route: Route, errors: ErrorResponses) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "tags": [route.tag],
        "summary": route.summary,
        "responses": _responses(route, errors),
    }
    parameters: list[dict[str, Any]] = []
    for name in PATH_PARAMETER.findall(route.path):
        described = PATH_PARAMETERS[name] | route.path_examples
        parameters.append({"name": name, "in": "path", "required": True} | _parameter(described | {"minLength": 1}))
    if route.query is not None:
        parameters.append({"in": "query", "schema": route.query})
    for name, described in route.headers.items():
        header = {"name": name, "in": "header", "required": name == UPLOAD_OFFSET}
        parameters.append(header | _parameter(described))
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


def _parameter(described: dict[str, Any]) -> dict[str, Any]:
    """Return the description and the schema of a parameter that is text."""
    schema = {"type": "string"} | described
    return {"description": schema.pop("description"), "schema": schema}


def _responses(route: Route, errors: ErrorResponses) -> dict[str, Any]:
    content = {media: {"schema": schema} if schema else {} for media, schema in route.content.items()}
    responses: dict[str, Any] = {"200": {"description": "Success."} | ({"content": content} if content else {})}
    for status, description in route.statuses.items():
        responses[str(status.value)] = {"description": description}
        if status in {HTTPStatus.CREATED, HTTPStatus.PARTIAL_CONTENT}:
            responses[str(status.value)]["content"] = content
    return responses | errors.of(route)
