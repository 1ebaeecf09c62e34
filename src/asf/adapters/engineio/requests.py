"""Checks requests to Engine.IO before python-engineio handles them."""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs

_JSONP = re.compile(r"(?:^|&)(?:j|%6[aA])=")

WEBSOCKET_VERSIONS = {"8", "13"}
"""Versions of the WebSocket protocol that are supported."""

Handler = Callable[[dict[str, Any], Callable[..., object]], Any]
"""Answers a request, given its environment and `start_response`, as in WSGI (PEP 3333)."""


def checked_handler(server: Any) -> Handler:
    """Return a handler of requests in front of that of an Engine.IO server, for what the library does not check.

    JSONP, with which pages of any origin could read responses: all browsers in use support CORS. An invalid
    WebSocket handshake: the library opens a connection before it looks at the handshake, and would keep it. A request
    to a connection that has just closed. A body that does not arrive, which it would read as empty; a body that is
    declared as too long is left to the library to reject.
    """
    handle_request: Handler = server.handle_request
    max_bytes = int(server.max_http_buffer_size)

    def handle(environ: dict[str, Any], start_response: Callable[..., object]) -> Any:
        if _JSONP.search(environ.get("QUERY_STRING", "")):
            start_response("400 Bad Request", [("Content-Type", "text/plain")])
            return [b"JSONP is not supported."]
        if not _is_handshake(environ):
            environ.pop("HTTP_UPGRADE", None)
        if environ["REQUEST_METHOD"] == "POST":
            _drop_closed(server, environ)
            length = int(environ.get("CONTENT_LENGTH", 0))
            if length <= max_bytes:
                try:
                    environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(length))
                except TimeoutError:
                    start_response("408 Request Timeout", [("Content-Type", "text/plain")])
                    return [b"The request took too long to arrive."]
        return handle_request(environ, start_response)

    return handle


def _drop_closed(server: Any, environ: dict[str, Any]) -> None:
    for sid in parse_qs(environ.get("QUERY_STRING", "")).get("sid", []):
        if sid in server.sockets and server.sockets[sid].closed:
            del server.sockets[sid]


def _is_handshake(environ: dict[str, Any]) -> bool:
    connection = [part.strip() for part in environ.get("HTTP_CONNECTION", "").lower().split(",")]
    return (
        environ["REQUEST_METHOD"] == "GET"
        and "upgrade" in connection
        and "HTTP_SEC_WEBSOCKET_KEY" in environ
        and environ.get("HTTP_SEC_WEBSOCKET_VERSION") in WEBSOCKET_VERSIONS
    )
