"""The route of single UI updates without Flask, whose routing and contexts cost more than the update itself."""

import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from asf.adapters.http_api.app import RAW_PATH
from asf.adapters.http_api.errors import (
    HTTP_STATUSES,
    BadRequest,
    RequestTimedOut,
    SendUiInvalidPayload,
    SendUiMalformedJson,
    error_body,
    error_headers,
)
from asf.adapters.http_api.internal_guard import InternalGuard
from asf.adapters.http_api.json_body import MAX_BODY_BYTES, parse_json_object
from asf.adapters.http_api.updates.messages import body_of, encoded, update_of
from asf.domain.errors import AsfError, InternalError
from asf.domain.updates.router import UiUpdateRouter

PATH = "/asf/internal/send_ui_update"
JSON = "application/json"

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

logger = logging.getLogger(__name__)


class DirectUpdates:
    """WSGI middleware that answers ordinary requests with one update as the route in the application does.

    Those with an unusual head, such as one without a length, are left to the application. `request_answered` is
    called with the path and the status of each response.
    """

    def __init__(
        self, router: UiUpdateRouter, guard: InternalGuard, request_answered: Callable[[str, int], object]
    ) -> None:
        self._router = router
        self._guard = guard
        self._request_answered = request_answered

    def in_front_of(self, application: Application) -> Application:
        """Return the application with this in front of it."""

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if environ["PATH_INFO"] == PATH and _is_ordinary(environ):
                return self._answer(environ, start_response)
            return application(environ, start_response)

        return answer

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, headers = HTTPStatus.OK, []
        try:
            body = self._publish(environ)
        except AsfError as error:
            status, headers, body = HTTP_STATUSES[type(error)], error_headers(error), error_body(error)
        content = encoded(body)
        headers += [("Content-Type", JSON), ("Content-Length", str(len(content)))]
        self._request_answered(PATH, status)
        start_response(f"{status.value} {status.phrase.upper()}", headers)
        return (content,)

    def _publish(self, environ: dict[str, Any]) -> dict[str, Any]:
        """Publish the update of a request, and return the response. Raises an `AsfError`."""
        try:
            self._guard.check(environ)
            body = _read(environ["wsgi.input"], int(environ["CONTENT_LENGTH"]))
            payload = parse_json_object(body, SendUiMalformedJson, SendUiInvalidPayload)
            return body_of(self._router.publish(update_of(payload)))
        except AsfError:
            raise
        except Exception as error:
            logger.exception("A request failed")
            raise InternalError from error


def _is_ordinary(environ: dict[str, Any]) -> bool:
    """Return whether a request is a POST of JSON with a length within the limit, its path spelled as usual."""
    length = environ.get("CONTENT_LENGTH") or ""
    return (
        environ["REQUEST_METHOD"] == "POST"
        and environ.get("CONTENT_TYPE") == JSON
        and environ.get(RAW_PATH) == PATH
        and length.isdecimal()
        and int(length) <= MAX_BODY_BYTES
    )


def _read(body: Any, length: int) -> bytes:
    """Return the body of a request. Raises `RequestTimedOut` or `BadRequest` if it does not arrive."""
    try:
        content: bytes = body.read(length)
    except TimeoutError as error:
        raise RequestTimedOut from error
    except OSError as error:
        raise BadRequest("The connection was lost before the end of the body.") from error
    if len(content) < length:
        raise BadRequest("The connection was closed before the end of the body.")
    return content
