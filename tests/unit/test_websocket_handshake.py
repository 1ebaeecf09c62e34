"""The opening handshake, without a server."""

import errno
import os
from typing import Any

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from asf.adapters.runtime import TAKE_CONNECTION, Event, Progress
from asf.adapters.websocket.connection import DirectWebSocket
from asf.adapters.websocket.handshake import WebSocketUpgrade

# The example of RFC 6455, section 1.3.
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"
)
EMPTY_CLOSE = b"\x88\x00"


class MemoryConnection:
    """A connection whose far end has sent all that it sends."""

    def __init__(self, incoming: bytes = b"") -> None:
        self.incoming = incoming
        self.written = bytearray()
        self.aborted = False

    def write_now(self, data: bytes | memoryview) -> int:
        self.written += data
        return len(data)

    def when_writable(self, callback: Any) -> None:
        assert callback is None

    def progress(self) -> Progress:
        return Progress(0, answers=True)

    def receive(self, timeout: float | None) -> bytes:
        del timeout
        incoming, self.incoming = self.incoming, b""
        return incoming

    def abort(self) -> None:
        self.aborted = True

    def checkpoint(self) -> None:
        """Yield to nobody."""

    def make_event(self) -> Event:
        raise NotImplementedError

    def pause(self, seconds: float) -> None:
        raise NotImplementedError


def environ_of(connection: MemoryConnection, **changes: str | None) -> dict[str, Any]:
    """Return the environment of a handshake. A change to None leaves a header out."""
    environ = {
        "HTTP_CONNECTION": "keep-alive, Upgrade",
        "HTTP_UPGRADE": "WebSocket",
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
        "HTTP_SEC_WEBSOCKET_KEY": KEY,
        "HTTP_SEC_WEBSOCKET_EXTENSIONS": "permessage-deflate; client_max_window_bits",
        "HTTP_SEC_WEBSOCKET_PROTOCOL": "chat",
    }
    headers = {name: value for name, value in (environ | changes).items() if value is not None}
    return headers | {TAKE_CONNECTION: lambda: connection}


@pytest.mark.parametrize("version", ["8", "13"])
def test_a_handshake_is_accepted(version: str) -> None:
    """As RFC 6455 has it, without extensions and subprotocols; the client's first frames may follow at once."""
    client = Connection(ConnectionType.CLIENT)
    connection = MemoryConnection(client.send(TextMessage("at once")))
    received: list[Any] = []

    def handle(websocket: DirectWebSocket) -> None:
        received.extend((websocket.wait(), websocket.wait()))
        websocket.send("answer")

    responses: list[Any] = []
    environ = environ_of(connection, HTTP_SEC_WEBSOCKET_VERSION=version)
    assert list(WebSocketUpgrade(handle, 100)(environ, responses.append)) == []
    assert responses == []
    assert received == ["at once", None]
    assert connection.written == ACCEPTED + b"\x81\x06answer" + EMPTY_CLOSE


@pytest.mark.parametrize(
    ("changes", "status", "headers"),
    [
        ({"HTTP_CONNECTION": None}, "400 Bad Request", []),
        ({"HTTP_CONNECTION": "keep-alive"}, "400 Bad Request", []),
        ({"HTTP_UPGRADE": "h2c"}, "400 Bad Request", []),
        ({"HTTP_SEC_WEBSOCKET_VERSION": None}, "400 Bad Request", []),
        ({"HTTP_SEC_WEBSOCKET_VERSION": "7"}, "426 Upgrade Required", [("Sec-WebSocket-Version", "8, 13")]),
        ({"HTTP_SEC_WEBSOCKET_KEY": None}, "400 Bad Request", []),
    ],
)
def test_a_bad_handshake_is_rejected(
    changes: dict[str, str | None], status: str, headers: list[tuple[str, str]]
) -> None:
    """And the handler is not called."""
    connection = MemoryConnection()
    responses: list[Any] = []
    upgrade = WebSocketUpgrade(lambda _websocket: pytest.fail("called"), 100)
    body = upgrade(environ_of(connection, **changes), lambda *response: responses.append(response))
    assert b"".join(body) == b""
    assert responses == [(status, [("Connection", "close"), *headers])]
    assert connection.written == b""


@pytest.mark.parametrize("number", [errno.ECONNRESET, errno.EPIPE, errno.ESHUTDOWN])
def test_a_client_that_is_gone_is_no_error(number: int) -> None:
    """Other errors are."""

    def fail(_websocket: DirectWebSocket) -> None:
        raise OSError(number, os.strerror(number))

    connection = MemoryConnection()
    assert list(WebSocketUpgrade(fail, 100)(environ_of(connection), print)) == []

    def break_down(_websocket: DirectWebSocket) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(OSError, match="Input/output error"):
        WebSocketUpgrade(break_down, 100)(environ_of(connection), print)
    assert connection.written == (ACCEPTED + EMPTY_CLOSE) * 2
