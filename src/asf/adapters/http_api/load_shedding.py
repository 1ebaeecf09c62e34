"""Rejects requests over the connection limits, and new sessions while draining; never operators and backends."""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Flask

from asf.adapters.http_api.errors import error_response
from asf.adapters.http_api.operator_page import is_operator_page
from asf.adapters.http_api.playback import STREAM_URL
from asf.adapters.log_events import MAX_CHARACTERS, log_event
from asf.adapters.runtime import control_of
from asf.domain.errors import AsfError, Draining

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

INTERNAL_PREFIX = "/asf/internal/"
OPERATIONS = {"/asf/health", "/asf/ready", "/metrics"}
SOCKETIO_PREFIX = "/socket.io/"

logger = logging.getLogger(__name__)

_HAS_CONNECTED = re.compile(r"(?:^|&)sid=[^&]")


def is_internal(path: str) -> bool:
    """Return whether the path belongs to the internal API, which has no rate limit."""
    return path.startswith(INTERNAL_PREFIX)


class LoadShedding:
    """WSGI middleware that rejects over-limit connections, and new sessions while the server drains.

    Requests to Socket.IO go to `socketio`, all others to `application`.
    `socketio_rejection` returns why a request must not begin a Socket.IO connection, given its WSGI environment, or
    None. While `is_draining` returns True, new sessions are answered with 503, so that a proxy retries on another
    server. `request_answered` is called for each rejection. `socketio_cors` returns the headers that let a page of an
    allowed origin read the response to a Socket.IO request: so its client can say why it was rejected.
    """

    def __init__(
        self,
        app: Flask,
        application: Application,
        socketio: Application,
        socketio_rejection: Callable[[Mapping[str, Any]], AsfError | None],
        is_draining: Callable[[], bool],
        request_answered: Callable[[str, int], object],
        socketio_cors: Callable[[dict[str, Any]], Iterable[tuple[str, str]]],
    ) -> None:
        self._app = app
        self._application = application
        self._socketio = socketio
        self._socketio_rejection = socketio_rejection
        self._is_draining = is_draining
        self._request_answered = request_answered
        self._socketio_cors = socketio_cors

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        path = environ["PATH_INFO"]
        _log_request(path, environ)
        rejection: AsfError | None = control_of(environ).rejection or self._session_rejection(path, environ)
        if rejection is None or path in OPERATIONS or is_internal(path) or is_operator_page(path):
            application = self._socketio if path.startswith(SOCKETIO_PREFIX) else self._application
            return application(environ, start_response)
        with self._app.app_context():
            response, status = error_response(rejection)
        response.status_code = status
        if path.startswith(SOCKETIO_PREFIX):
            response.headers.extend(self._socketio_cors(environ))
        self._request_answered("refused", status)
        return response(environ, start_response)

    def _session_rejection(self, path: str, environ: dict[str, Any]) -> AsfError | None:
        """Return the error if this request would start a session that is rejected."""
        is_socketio = path.startswith(SOCKETIO_PREFIX)
        if is_socketio and _HAS_CONNECTED.search(environ.get("QUERY_STRING", "")):
            return None
        is_websocket = path.startswith(STREAM_URL) and environ.get("HTTP_UPGRADE", "").lower() == "websocket"
        if self._is_draining() and (is_socketio or is_websocket):
            return Draining()
        return self._socketio_rejection(environ) if is_socketio else None


def _log_request(path: str, environ: Mapping[str, Any]) -> None:
    """Log a request of any kind, for the level debug, without its query: that may contain a token."""
    fields = {"method": environ["REQUEST_METHOD"], "path": path, "address": environ.get("REMOTE_ADDR", "")}
    log_event(
        logger, logging.DEBUG, "request received", **{name: text[:MAX_CHARACTERS] for name, text in fields.items()}
    )
