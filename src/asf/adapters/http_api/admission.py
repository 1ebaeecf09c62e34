"""Who is answered: operators and backends always; others while there is place, and while the server is to stay."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from asf.adapters.http_api.errors import error_response
from asf.adapters.http_api.playback import STREAM_URL
from asf.adapters.limits import ConnectionQuota
from asf.domain.errors import AsfError, Draining

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

INTERNAL_PREFIX = "/asf/internal/"
OPERATIONS = {"/asf/health", "/asf/ready", "/metrics"}
SOCKETIO_PREFIX = "/socket.io/"

_HAS_CONNECTED = re.compile(r"(?:^|&)sid=[^&]")


def is_internal(path: str) -> bool:
    """Return whether the path is of the internal API, where backends may ask as often as they like."""
    return path.startswith(INTERNAL_PREFIX)


class Admission:
    """A WSGI application in front of all others: refuses what there is no place for, and what begins at the end.

    `refusal_key` is where a request's environment says why its connection has no place, if so. `socketio` counts the
    connections of Socket.IO, each of which may come by many connections of HTTP. While `is_draining` says so, no
    session begins: a proxy that reads the 503 takes it to another server. `request_answered` is told of each refusal.
    """

    def __init__(
        self,
        app: Flask,
        application: Application,
        refusal_key: str,
        socketio: ConnectionQuota,
        is_draining: Callable[[], bool],
        request_answered: Callable[[str, int], object],
    ) -> None:
        self._app = app
        self._application = application
        self._refusal_key = refusal_key
        self._socketio = socketio
        self._is_draining = is_draining
        self._request_answered = request_answered

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        path = environ["PATH_INFO"]
        refusal: AsfError | None = environ.get(self._refusal_key) or self._refusal_of_session(path, environ)
        if refusal is None or path in OPERATIONS or is_internal(path):
            return self._application(environ, start_response)
        with self._app.app_context():
            response, status = error_response(refusal)
        response.status_code = status
        self._request_answered("refused", status)
        return response(environ, start_response)

    def _refusal_of_session(self, path: str, environ: dict[str, Any]) -> AsfError | None:
        """Return why the session that would begin with this request may not."""
        is_socketio = path.startswith(SOCKETIO_PREFIX)
        if is_socketio and _HAS_CONNECTED.search(environ.get("QUERY_STRING", "")):
            return None
        is_websocket = path.startswith(STREAM_URL) and environ.get("HTTP_UPGRADE", "").lower() == "websocket"
        if self._is_draining() and (is_socketio or is_websocket):
            return Draining()
        return self._socketio.refusal(environ["REMOTE_ADDR"]) if is_socketio else None
