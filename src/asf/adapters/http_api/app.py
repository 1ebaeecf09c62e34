"""The Flask application: limits and error answers that hold for every route."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Flask, Request, Response, request
from flask.sessions import SessionInterface
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_date
from werkzeug.routing import BaseConverter

from asf.adapters.http_api.errors import error_of_exception, error_response
from asf.adapters.http_api.json_body import MAX_BODY_BYTES
from asf.domain.errors import AsfError, InternalError

DATE_HEADERS = {"HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE"}
"""Headers that may hold a date (RFC 9110, section 13.1), as WSGI names them."""

logger = logging.getLogger(__name__)


class StreamIdConverter(BaseConverter):
    """A stream id as the rest of a URL's path, slashes and all."""

    regex = ".+"
    part_isolating = False


class NoSessions(SessionInterface):
    """No session for any request: nothing here keeps one, and the search for its cookie costs as much as a route."""

    def open_session(self, _app: Flask, _request: Request) -> None:
        """Return none."""


def create_app(secret_key: str, request_answered: Callable[[str, int], object]) -> Flask:
    """Return an application without routes yet. Every error is answered as JSON.

    `request_answered` is told the route (its pattern, or `unmatched`) and the status of every answer.
    """
    app = Flask("asf", static_folder=None)
    # Werkzeug cuts a body of undeclared length at the limit without a word. One byte more shows that it was longer.
    app.config.update(SECRET_KEY=secret_key, MAX_CONTENT_LENGTH=MAX_BODY_BYTES + 1)
    app.session_interface = NoSessions()
    app.url_map.merge_slashes = False  # A stream id may begin with a slash, or have two in a row.
    app.url_map.converters["stream_id"] = StreamIdConverter
    app.register_error_handler(AsfError, error_response)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(Exception, _answer_unexpected)

    @app.before_request
    def pass_over_impossible_dates() -> None:
        _pass_over_impossible_dates(request.environ)

    @app.after_request
    def count(response: Response) -> Response:
        request_answered(request.url_rule.rule if request.url_rule else "unmatched", response.status_code)
        return response

    return app


def _pass_over_impossible_dates(environ: dict[str, Any]) -> None:
    """Take out of a request what depends on dates beyond the calendar, which werkzeug does not survive."""
    for name in DATE_HEADERS & environ.keys():
        try:
            parse_date(environ[name])
        except OverflowError:
            del environ[name]
            if name == "HTTP_IF_RANGE":  # It does not hold, so the whole is wanted.
                environ.pop("HTTP_RANGE", None)


def _answer_http_exception(exception: HTTPException) -> tuple[Response, HTTPStatus]:
    response, status = error_response(error_of_exception(exception))
    for name, value in exception.get_headers():
        if name not in {"Content-Type", "Content-Length"}:  # such as Allow, beside 405
            response.headers[name] = value
    return response, status


def _answer_unexpected(exception: Exception) -> tuple[Response, HTTPStatus]:
    logger.error("A request failed", exc_info=exception)
    return error_response(InternalError())
