"""The opening handshake of WebSockets (RFC 6455, section 4.2), as a WSGI application."""

import errno
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from wsproto.utilities import generate_accept_token

from asf.adapters.runtime import TAKE_CONNECTION
from asf.adapters.websocket.connection import DirectWebSocket

VERSIONS = ("8", "13")
"""Versions of the protocol. The two differ in the handshake only, in a header that is not used here."""

CLIENT_IS_GONE = {errno.ECONNRESET, errno.EPIPE, errno.ESHUTDOWN}
"""Errors of sending to a client that has closed the connection."""

StartResponse = Callable[..., Any]


class WebSocketUpgrade:
    """Answers a handshake, and calls `handler` with the connection. When that returns, the connection is closed.

    Declines permessage-deflate: audio does not compress, and a context costs some 300 KB for each connection. A
    message of a client may have `max_message_bytes` bytes.
    """

    def __init__(self, handler: Callable[[DirectWebSocket], object], max_message_bytes: int) -> None:
        self._handler = handler
        self._max_message_bytes = max_message_bytes

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request, and the WebSocket connection that it opens."""
        status, headers = _check(environ)
        if status is not HTTPStatus.SWITCHING_PROTOCOLS:
            start_response(f"{status.value} {status.phrase}", [("Connection", "close"), *headers])
            return [b""]
        websocket = DirectWebSocket(environ[TAKE_CONNECTION](), self._max_message_bytes)
        try:
            websocket.hold(_accept(environ["HTTP_SEC_WEBSOCKET_KEY"]))  # One write with the first message.
            self._handler(websocket)
        except OSError as error:
            if error.errno not in CLIENT_IS_GONE:
                raise
        finally:
            websocket.send_close()
        return []


def _check(environ: dict[str, Any]) -> tuple[HTTPStatus, list[tuple[str, str]]]:
    """Return the status of the response, and headers that go with it."""
    connection = [part.strip() for part in environ.get("HTTP_CONNECTION", "").lower().split(",")]
    version = environ.get("HTTP_SEC_WEBSOCKET_VERSION")
    if "upgrade" not in connection or environ.get("HTTP_UPGRADE", "").lower() != "websocket" or version is None:
        return HTTPStatus.BAD_REQUEST, []
    if version not in VERSIONS:
        return HTTPStatus.UPGRADE_REQUIRED, [("Sec-WebSocket-Version", ", ".join(VERSIONS))]
    if "HTTP_SEC_WEBSOCKET_KEY" not in environ:
        return HTTPStatus.BAD_REQUEST, []
    return HTTPStatus.SWITCHING_PROTOCOLS, []


def _accept(key: str) -> bytes:
    """Return the response that opens the WebSocket."""
    return (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + generate_accept_token(key.encode()) + b"\r\n\r\n"
    )
