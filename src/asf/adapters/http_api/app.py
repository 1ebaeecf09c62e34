"""The Flask application: limits and error handling of all routes."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Flask, Request, Response, request
from flask.sessions import SessionInterface
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_date
from werkzeug.routing import BaseConverter

from asf.adapters.http_api.errors import RouteNotFound, error_of_exception, error_response
from asf.adapters.http_api.json_body import MAX_BODY_BYTES
from asf.domain.errors import AsfError, InternalError

DATE_HEADERS = {"HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE"}
"""Headers that may hold a date (RFC 9110, section 13.1), as WSGI names them."""

OPERATORS_PREFIX = "/asf/"
DOT_SEGMENTS = frozenset({".", ".."})
"""Segments of a path that stand for others (RFC 3986, section 3.3)."""

RAW_PATH = "RAW_PATH_INFO"
"""The path as the client has sent it, in the environment of a request. Not every server provides it."""

logger = logging.getLogger(__name__)


class StreamIdConverter(BaseConverter):
    """A stream id as the rest of a URL's path, slashes included."""

    regex = ".+"
    part_isolating = False


class NoSessions(SessionInterface):
    """Disables Flask's sessions: they are unused, and parsing their cookie costs as much as a route."""

    def open_session(self, _app: Flask, _request: Request) -> None:
        """Return None: no session."""


def create_app(secret_key: str, request_answered: Callable[[str, int], object]) -> Flask:
    """Return an application without routes. Every error is answered as JSON.

    `request_answered` is called with the route (its pattern, or `unmatched`) and status of every response.
    """
    app = Flask("asf", static_folder=None)
    # Werkzeug silently truncates a body of undeclared length at the limit. One byte more reveals a longer one.
    app.config.update(SECRET_KEY=secret_key, MAX_CONTENT_LENGTH=MAX_BODY_BYTES + 1)
    app.session_interface = NoSessions()
    app.url_map.merge_slashes = False  # A stream id may start with a slash, or contain double slashes.
    app.url_map.converters["stream_id"] = StreamIdConverter
    app.register_error_handler(AsfError, error_response)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(Exception, _answer_unexpected)

    @app.before_request
    def check() -> None:
        _check_spelling(request)
        _drop_invalid_dates(request.environ)

    @app.after_request
    def count(response: Response) -> Response:
        request_answered(request.url_rule.rule if request.url_rule else "unmatched", response.status_code)
        return response

    return app


def _check_spelling(request: Request) -> None:
    """Raise `RouteNotFound` for the path of a route in another spelling, such as /asf%2Finternal/streams.

    A proxy that denies the path may know only one. What is variable in a path may be percent-encoded; below
    `OPERATORS_PREFIX` it has no dot segments, which a proxy may have resolved to another path.
    """
    if request.url_rule is None:
        return
    constant, variable, _ = request.url_rule.rule.partition("<")
    raw_path = request.environ.get(RAW_PATH, request.path)
    is_spelled = raw_path.startswith(constant) if variable else raw_path == constant
    has_dots = constant.startswith(OPERATORS_PREFIX) and not DOT_SEGMENTS.isdisjoint(request.path.split("/"))
    if has_dots or not is_spelled:
        raise RouteNotFound


def _drop_invalid_dates(environ: dict[str, Any]) -> None:
    """Remove headers with dates out of range, on which werkzeug raises OverflowError."""
    for name in DATE_HEADERS & environ.keys():
        try:
            parse_date(environ[name])
        except OverflowError:
            del environ[name]
            if name == "HTTP_IF_RANGE":  # The condition fails, so the request is for all of it.
                environ.pop("HTTP_RANGE", None)


def _answer_http_exception(exception: HTTPException) -> tuple[Response, HTTPStatus]:
    response, status = error_response(error_of_exception(exception))
    for name, value in exception.get_headers():
        if name not in {"Content-Type", "Content-Length"}:  # such as Allow, with 405
            response.headers[name] = value
    return response, status


def _answer_unexpected(exception: Exception) -> tuple[Response, HTTPStatus]:
    logger.error("A request failed", exc_info=exception)
    return error_response(InternalError())
