"""One route of the HTTP API, as its OpenAPI document describes it, and what many routes share."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from marshmallow import Schema

from asf.adapters import field_docs as docs
from asf.domain import errors
from asf.domain.errors import AsfError

JSON = "application/json"

INTERNAL = ("internalToken",)
"""Security of the internal API."""

TOKEN = ("token", "tokenInQuery")
"""Security of listeners."""

OF_CATALOG = (errors.CatalogUnavailable,)
OF_STREAM = (errors.StreamNotFound, *OF_CATALOG)
"""Errors of routes that use the catalog, and of those that need a stream in it."""

IS_CURRENT = "The client's copy is current."

IF_NONE_MATCH = {
    "If-None-Match": docs.described("Entity tags that the client has: if one is current, the answer is 304.", '"abc"')
}
IF_MATCH = {"If-Match": docs.described("Entity tags that the client wants, and no others: else 412.", '"abc"')}


@dataclass(frozen=True)
class Route:
    """One operation: its request, its responses, and its errors besides `EVERY_ROUTE`.

    `operation_id` is unique and stays the same in later versions; `tag` is one of `TAGS`.
    `content` maps the media types of the 200 to their schemas (None if not JSON), and is empty if it has none;
    `statuses` describes further responses, with the same content (201, 206) or none (304). `body_media` is the media
    type of a body that is not JSON; `has_lines` says that it may also be lines of JSON. `headers` describes the
    request's headers by name, and `path_examples` adds to the description of the path's parameter. `security` names
    the alternative security schemes, which may be required depending on the settings.
    """

    operation_id: str
    tag: str
    method: str
    path: str
    summary: str
    content: dict[str, type[Schema] | None]
    body: Schema | type[Schema] | None = None
    body_media: str | None = None
    has_lines: bool = False
    headers: dict[str, dict[str, Any]] = field(default_factory=dict)
    path_examples: dict[str, Any] = field(default_factory=dict)
    query: type[Schema] | None = None
    errors: tuple[type[AsfError], ...] = ()
    statuses: dict[HTTPStatus, str] = field(default_factory=dict)
    security: tuple[str, ...] = ()
