"""Errors of HTTP requests, and the one table that maps errors to HTTP statuses."""

from http import HTTPStatus
from typing import Any

from flask import Response, jsonify
from werkzeug.exceptions import HTTPException

from asf.domain import errors
from asf.domain.errors import AsfError


class RequestError(AsfError):
    """An error that only HTTP requests have."""


class NotifyMalformedJson(RequestError):
    """The body is declared as JSON, but is not valid JSON."""

    error_code = "ASF_NOTIFY_MALFORMED_JSON"
    message = "Malformed JSON payload."


class NotifyInvalidPayload(RequestError):
    """The body is missing, not declared as JSON, or not a non-empty object."""

    error_code = "ASF_NOTIFY_INVALID_PAYLOAD"
    message = "Request payload is missing or not valid JSON."


class SendUiMalformedJson(RequestError):
    """The body is declared as JSON, but is not valid JSON."""

    error_code = "ASF_SENDUI_MALFORMED_JSON"
    message = "Malformed JSON payload."


class SendUiInvalidPayload(RequestError):
    """The body is missing, not declared as JSON, or not a non-empty object."""

    error_code = "ASF_SENDUI_INVALID_PAYLOAD"
    message = "Request payload is missing or not valid JSON for sending UI update."


class SendUiMissingData(RequestError):
    """The update has no `data`."""

    error_code = "ASF_SENDUI_MISSING_DATA"
    message = "Validation failed: 'data' field is required."


class CuesMalformedJson(RequestError):
    """The body is declared as JSON, but is not valid JSON."""

    error_code = "ASF_CUES_MALFORMED_JSON"
    message = "Malformed JSON payload."


class CuesInvalidPayload(RequestError):
    """The body is missing, not declared as JSON, or has no list of 1 to 1000 cues, or an `epoch` that is not text."""

    error_code = "ASF_CUES_INVALID_PAYLOAD"
    message = "Request payload is missing or not valid JSON for cues."


class RouteNotFound(RequestError):
    """No route has this path."""

    error_code = "ASF_NOT_FOUND"
    message = "Not found."


class MethodNotAllowed(RequestError):
    """The route does not support this method."""

    error_code = "ASF_METHOD_NOT_ALLOWED"
    message = "Method not allowed."


class PayloadTooLarge(RequestError):
    """The body is larger than this server accepts."""

    error_code = "ASF_PAYLOAD_TOO_LARGE"
    message = "Payload too large."


class RangeNotSatisfiable(RequestError):
    """The requested range is outside the audio, or invalid."""

    error_code = "ASF_RANGE_NOT_SATISFIABLE"
    message = "Range not satisfiable."


class PreconditionFailed(RequestError):
    """`If-Match` names other audio than the stream has now."""

    error_code = "ASF_PRECONDITION_FAILED"
    message = "Precondition failed."


class InvalidQuery(RequestError):
    """A parameter of the URL's query has an invalid value."""

    error_code = "ASF_INVALID_QUERY"
    message = "A query parameter is invalid."


class SessionNotFound(RequestError):
    """No node has a session of this id: it has ended."""

    error_code = "ASF_SESSION_NOT_FOUND"
    message = "There is no such session."


class NodesSilent(RequestError):
    """None of the nodes that answer has the session, and others do not answer; `details` names them."""

    error_code = "ASF_NODES_NOT_ANSWERING"
    message = "Some nodes do not answer."
    retryable = True


class InvalidHeader(RequestError):
    """A header of the request has an invalid value."""

    error_code = "ASF_INVALID_HEADER"
    message = "A header is invalid."


class UnsupportedMediaType(RequestError):
    """The body has a form or a coding in which audio cannot be uploaded."""

    error_code = "ASF_UNSUPPORTED_MEDIA_TYPE"
    message = "Unsupported media type."


class NotReady(RequestError):
    """The server cannot accept listeners now; `details` names the reasons."""

    error_code = "ASF_NOT_READY"
    message = "The server is not ready."
    retryable = True


class RequestTimedOut(RequestError):
    """The body of the request took too long to arrive."""

    error_code = "ASF_REQUEST_TIMEOUT"
    message = "The request took too long to arrive."
    retryable = True


class BadRequest(RequestError):
    """The request violates HTTP in a way that no other error describes."""

    error_code = "ASF_BAD_REQUEST"
    message = "Bad request."


CHALLENGE = 'Bearer realm="ASF"'
"""`WWW-Authenticate` of a 401 (RFC 6750, section 3)."""

HTTP_STATUSES: dict[type[AsfError], HTTPStatus] = {
    errors.InternalError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Throttled: HTTPStatus.TOO_MANY_REQUESTS,
    errors.TooManyConnections: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.JoinTimeout: HTTPStatus.REQUEST_TIMEOUT,
    errors.UnknownNamespace: HTTPStatus.NOT_FOUND,
    errors.StreamNotFound: HTTPStatus.NOT_FOUND,
    errors.AudioUnavailable: HTTPStatus.NOT_FOUND,
    errors.AudioChanged: HTTPStatus.NOT_FOUND,
    errors.GenerationFailed: HTTPStatus.GONE,
    errors.StreamStalled: HTTPStatus.GATEWAY_TIMEOUT,
    errors.EpochChanged: HTTPStatus.CONFLICT,
    errors.NoSession: HTTPStatus.CONFLICT,
    errors.InvalidAck: HTTPStatus.BAD_REQUEST,
    errors.CatalogUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ListenerTooSlow: HTTPStatus.REQUEST_TIMEOUT,
    errors.TooManyListeners: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Draining: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Disconnected: HTTPStatus.FORBIDDEN,
    errors.InvalidStreamId: HTTPStatus.BAD_REQUEST,
    errors.InvalidFilepath: HTTPStatus.BAD_REQUEST,
    errors.CatalogFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.InvalidField: HTTPStatus.BAD_REQUEST,
    errors.UploadNotFound: HTTPStatus.NOT_FOUND,
    errors.UploadOffsetMismatch: HTTPStatus.CONFLICT,
    errors.UploadComplete: HTTPStatus.CONFLICT,
    errors.UploadEmpty: HTTPStatus.BAD_REQUEST,
    errors.UploadTakenOver: HTTPStatus.CONFLICT,
    errors.UploadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.UploadUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.InvalidClientId: HTTPStatus.BAD_REQUEST,
    errors.InvalidEventName: HTTPStatus.BAD_REQUEST,
    errors.InvalidIdempotencyKey: HTTPStatus.BAD_REQUEST,
    errors.IdempotencyConflict: HTTPStatus.CONFLICT,
    errors.NotSubscribed: HTTPStatus.CONFLICT,
    errors.TooManySubscriptions: HTTPStatus.CONFLICT,
    errors.UiNamespaceMissing: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.UiEmitFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    NotifyMalformedJson: HTTPStatus.BAD_REQUEST,
    NotifyInvalidPayload: HTTPStatus.BAD_REQUEST,
    SendUiMalformedJson: HTTPStatus.BAD_REQUEST,
    SendUiInvalidPayload: HTTPStatus.BAD_REQUEST,
    SendUiMissingData: HTTPStatus.BAD_REQUEST,
    errors.InvalidCue: HTTPStatus.BAD_REQUEST,
    errors.TooManyCues: HTTPStatus.CONFLICT,
    errors.CuesUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    CuesMalformedJson: HTTPStatus.BAD_REQUEST,
    CuesInvalidPayload: HTTPStatus.BAD_REQUEST,
    RouteNotFound: HTTPStatus.NOT_FOUND,
    MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    PayloadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    RangeNotSatisfiable: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    InvalidQuery: HTTPStatus.BAD_REQUEST,
    InvalidHeader: HTTPStatus.BAD_REQUEST,
    SessionNotFound: HTTPStatus.NOT_FOUND,
    NodesSilent: HTTPStatus.SERVICE_UNAVAILABLE,
    UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    RequestTimedOut: HTTPStatus.REQUEST_TIMEOUT,
    NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    BadRequest: HTTPStatus.BAD_REQUEST,
}
"""HTTP status of each error. A test checks that no error is missing."""

_ERRORS_OF_STATUSES: dict[int, type[AsfError]] = {
    HTTPStatus.NOT_FOUND: RouteNotFound,
    HTTPStatus.METHOD_NOT_ALLOWED: MethodNotAllowed,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: PayloadTooLarge,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: RangeNotSatisfiable,
}


def error_response(error: AsfError) -> tuple[Response, HTTPStatus]:
    """Return the JSON response and status of `error`."""
    response, status = jsonify(error_body(error)), HTTP_STATUSES[type(error)]
    response.headers.extend(error_headers(error))
    return response, status


def error_headers(error: AsfError) -> list[tuple[str, str]]:
    """Return the headers of the response to `error`, beside those of its body."""
    headers = [("Cache-Control", "no-store")]  # Caches may keep some statuses unless told otherwise, such as 404.
    if HTTP_STATUSES[type(error)] is HTTPStatus.UNAUTHORIZED:
        headers.append(("WWW-Authenticate", CHALLENGE))
    return headers


def error_body(error: AsfError) -> dict[str, Any]:
    """Return the JSON body of `error`."""
    body: dict[str, Any] = {"error_code": error.error_code, "message": error.message}
    if error.details is not None:
        body["details"] = error.details
    if isinstance(error, errors.EpochChanged) and error.epoch:
        body["epoch"] = error.epoch
    return body


def error_of_exception(exception: HTTPException) -> AsfError:
    """Return the error for an exception of Flask or Werkzeug."""
    if isinstance(
        exception.__context__, TimeoutError
    ):  # Werkzeug mistakes a body that times out for a disconnected client.
        return RequestTimedOut()
    error_class = _ERRORS_OF_STATUSES.get(exception.code or 0, BadRequest)
    return error_class(exception.description if error_class is BadRequest else None)
