"""Why a connection failed, in a few words, whichever library has failed."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from asf.client import BackendClient, ServerUnreachable, watch
from asf.client.aio import AsyncBackendClient
from asf.client.connection_failures import reason_of

Call = Callable[[str], object]


def _blocking(url: str) -> None:
    with BackendClient(url, retries=0) as backend:
        backend.stream("s")


def _asyncio(url: str) -> None:
    async def call() -> None:
        async with AsyncBackendClient(url, retries=0) as backend:
            await backend.stream("s")

    asyncio.run(call())


def _socketio(url: str) -> None:
    next(watch(url, "alice"))


@pytest.fixture
def closed_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def busy_port() -> Iterator[int]:
    """Yield a port of a server that speaks no TLS: it closes each connection after a line of text."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    with server.accept()[0] as connection:
                        connection.recv(1000)
                        connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("call", [_blocking, _asyncio, _socketio])
def test_a_port_that_nobody_listens_on(closed_port: int, call: Call) -> None:
    """One line, with the address and the system's words."""
    url = f"http://127.0.0.1:{closed_port}"
    with pytest.raises(ServerUnreachable) as caught:
        call(url)
    text = str(caught.value)
    assert text.startswith(f"No ASF server responded at {url}")
    assert text.endswith(": Connection refused.")
    assert len(text) < 120


@pytest.mark.parametrize("call", [_blocking, _asyncio, _socketio])
def test_a_server_without_tls(busy_port: int, call: Call) -> None:
    """The protocol is named."""
    with pytest.raises(ServerUnreachable, match="TLS failed: "):
        call(f"https://127.0.0.1:{busy_port}")


def test_errors_without_a_reason() -> None:
    """Nothing is made up; a circle ends."""
    error = ValueError("x")
    error.__cause__ = RuntimeError("y")
    error.__cause__.__context__ = error
    assert reason_of(error) is None
    assert reason_of(None) is None
    assert reason_of(TimeoutError()) == "It did not respond in time"
    error.__cause__.__cause__ = ConnectionResetError(104, "Connection reset by peer")
    assert reason_of(error) == "Connection reset by peer"
