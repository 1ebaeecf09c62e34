"""Checks requests to Engine.IO before python-engineio handles them."""

import re
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs
from weakref import WeakKeyDictionary

from asf.adapters.engineio.polls import POLL_RESPONSE, PollResponse, is_polling
from asf.adapters.engineio.transport import EngineIoTransport
from asf.adapters.rate_limit import RateLimit
from asf.adapters.runtime import Runtime, control_of

_JSONP = re.compile(r"(?:^|&)(?:j|%6[aA])=")

WEBSOCKET_VERSIONS = {"8", "13"}
"""Versions of the WebSocket protocol that are supported."""

BEGINNINGS_PER_SECOND = 5.0
BEGINNINGS_AT_ONCE = 20
"""Rate limit of the sessions that are begun over one HTTP connection. Those beyond it are delayed."""

_HAS_SESSION = re.compile(r"(?:^|&)sid=[^&]")

Handler = Callable[[dict[str, Any], Callable[..., object]], Any]
"""Answers a request, given its environment and `start_response`, as in WSGI (PEP 3333)."""


class CheckedRequests:
    """Handles requests in front of an Engine.IO server, for what the library does not check.

    JSONP, with which pages of any origin could read responses: all browsers in use support CORS. An invalid
    WebSocket handshake: the library opens a connection before it looks at the handshake, and would keep it. A request
    to a connection that has just closed. A body that does not arrive, or not all of it, which it would read as empty
    or as it is; a body that is too long is left to the library to reject. A body of undeclared length, in chunks,
    which it would take for empty. Whether the response to a poll could be written. Many sessions that are begun over
    one connection.

    `find_transport` returns the open connection of a session.
    """

    def __init__(
        self, server: Any, runtime: Runtime, find_transport: Callable[[str | None], EngineIoTransport | None]
    ) -> None:
        self._server = server
        self._runtime = runtime
        self._find_transport = find_transport
        self._handle_request: Handler = server.handle_request
        self._max_bytes = int(server.max_http_buffer_size)
        self._beginnings: WeakKeyDictionary[Any, RateLimit] = WeakKeyDictionary()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Any:
        """Answer a request, as a WSGI application."""
        if _JSONP.search(environ.get("QUERY_STRING", "")):
            return _refuse(start_response, "400 Bad Request", b"JSONP is not supported.")
        if not _is_handshake(environ):
            environ.pop("HTTP_UPGRADE", None)
        if environ["REQUEST_METHOD"] == "POST":
            return self._answer_post(environ, start_response)
        if "HTTP_UPGRADE" in environ:
            return self._handle_request(environ, start_response)
        self._begin_poll(environ)
        return _answer_poll(self._handle_request, environ, start_response)

    def _answer_post(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Any:
        self._drop_closed(environ)
        try:
            _read_body(environ, self._max_bytes)
        except TimeoutError:
            return _refuse(start_response, "408 Request Timeout", b"The request took too long to arrive.")
        except (OSError, ValueError):
            return _refuse(start_response, "400 Bad Request", b"The body is not valid.")
        return self._handle_request(environ, start_response)

    def _drop_closed(self, environ: dict[str, Any]) -> None:
        sockets = self._server.sockets
        for sid in _session_ids(environ):
            if sid in sockets and sockets[sid].closed:
                del sockets[sid]

    def _begin_poll(self, environ: dict[str, Any]) -> None:
        """Delay what begins a session too soon after others; let the session's transport follow this connection."""
        if not _HAS_SESSION.search(environ.get("QUERY_STRING", "")):
            connection = control_of(environ).connection
            rate = self._beginnings.setdefault(connection, RateLimit(BEGINNINGS_PER_SECOND, BEGINNINGS_AT_ONCE))
            delay = rate.delay(time.monotonic())
            if delay:
                self._runtime.pause(delay)
        for sid in _session_ids(environ):
            transport = self._find_transport(sid)
            if transport is not None:
                transport.polled(control_of(environ).progress)


def _refuse(start_response: Callable[..., object], status: str, text: bytes) -> list[bytes]:
    start_response(status, [("Content-Type", "text/plain")])
    return [text]


def _answer_poll(handle_request: Handler, environ: dict[str, Any], start_response: Callable[..., object]) -> Any:
    """Answer a GET. Notes whether packets could be written: until then they are not considered sent."""
    started: list[Any] = []
    result = handle_request(environ, lambda *arguments: started.extend(arguments))
    response: PollResponse | None = environ.get(POLL_RESPONSE)
    if response is None:
        start_response(*started)
        return result
    status, headers = started
    (body,) = result
    start_response(status, [*headers, ("Content-Length", str(len(body)))])
    return response.deliver(body)


def _session_ids(environ: dict[str, Any]) -> list[str]:
    return parse_qs(environ.get("QUERY_STRING", "")).get("sid", [])


def _read_body(environ: dict[str, Any], max_bytes: int) -> None:
    """Read the body unless it is declared as too long, and at most one byte more than `max_bytes`.

    Raises TimeoutError for one that does not arrive completely, and OSError or ValueError for malformed chunks.
    """
    is_chunked = "HTTP_TRANSFER_ENCODING" in environ
    length = max_bytes + 1 if is_chunked else int(environ.get("CONTENT_LENGTH", 0))
    if length > max_bytes and not is_chunked:
        return
    body = BytesIO()
    # One call returns no more than one chunk.
    while body.tell() < length and (part := environ["wsgi.input"].read(length - body.tell())):
        body.write(part)
    if not is_chunked and body.tell() < length:
        raise TimeoutError
    environ["CONTENT_LENGTH"] = str(body.tell())
    body.seek(0)
    environ["wsgi.input"] = body


def _is_handshake(environ: dict[str, Any]) -> bool:
    connection = [part.strip() for part in environ.get("HTTP_CONNECTION", "").lower().split(",")]
    return (
        environ["REQUEST_METHOD"] == "GET"
        and not is_polling(environ)
        and "upgrade" in connection
        and "HTTP_SEC_WEBSOCKET_KEY" in environ
        and environ.get("HTTP_SEC_WEBSOCKET_VERSION") in WEBSOCKET_VERSIONS
    )
