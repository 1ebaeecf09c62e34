"""The error responses in the OpenAPI document, from the table of errors.

Each error has an example under `components`, and each response that several operations share stands there once.
"""

import inspect
from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from apispec import APISpec

from asf.adapters import field_docs as docs
from asf.adapters.http_api.errors import (
    HTTP_STATUSES,
    BadRequest,
    MethodNotAllowed,
    PayloadTooLarge,
    RequestTimedOut,
    RouteNotFound,
)
from asf.adapters.http_api.openapi_routes import JSON, Route
from asf.domain import errors
from asf.domain.errors import AsfError

EVERY_ROUTE = (BadRequest, RouteNotFound, MethodNotAllowed, RequestTimedOut, PayloadTooLarge, errors.InternalError)
"""Errors of all routes."""

Errors = tuple[type[AsfError], ...]
"""The errors of one response, which have the same status."""


class ErrorResponses:
    """Builds the error responses of `routes`, and adds what they share to the components of a document."""

    def __init__(self, spec: APISpec, routes: Iterable[Route]) -> None:
        uses = Counter(found for route in routes for found in _by_status(route).values())
        for error in sorted({error for found in uses for error in found}, key=_name_of):
            spec.components.example(_name_of(error), _example(error))
        self._shared = {found: _name_of_response(found) for found, number in uses.items() if number > 1}
        for found, name in sorted(self._shared.items(), key=lambda item: item[1]):
            spec.components.response(name, _response(found))

    def of(self, route: Route) -> dict[str, Any]:
        """Return the error responses of a route by status: the name of a shared response, or one of its own."""
        return {
            str(status.value): self._shared.get(found) or _response(found)
            for status, found in _by_status(route).items()
        }


def _by_status(route: Route) -> dict[HTTPStatus, Errors]:
    by_status: dict[HTTPStatus, Errors] = {}
    for error in dict.fromkeys((*route.errors, *EVERY_ROUTE)):
        status = HTTP_STATUSES[error]
        by_status[status] = (*by_status.get(status, ()), error)
    return dict(sorted(by_status.items()))


def _name_of(error: type[AsfError]) -> str:
    return error.__name__


def _name_of_response(found: Errors) -> str:
    """Return the name of a shared response: its errors, without those of all routes if there are others."""
    own = [error for error in found if error not in EVERY_ROUTE] or found
    return "Or".join(map(_name_of, own))


def _response(found: Errors) -> dict[str, Any]:
    lines = "\n".join(f"- `{error.error_code}`: {error.message}" for error in found)
    examples = {error.error_code: _name_of(error) for error in found}
    return {"description": lines, "content": {JSON: {"schema": "Error", "examples": examples}}}


def _example(error: type[AsfError]) -> dict[str, Any]:
    value = {"error_code": error.error_code, "message": error.message}
    if issubclass(error, errors.EpochChanged):
        value["epoch"] = docs.EXAMPLE_EPOCH
    return {"summary": error.message, "description": inspect.getdoc(error), "value": value}
