"""The body of a polling POST: declared by its length or sent in chunks, and bounded in either way."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
import requests

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import NAMESPACE, WireListener
from tests.support.processes import ServerProcess

JOIN = f'42{NAMESPACE},["join_stream",{{"stream_id":"unknown"}}]'.encode()
MAX_MESSAGE_BYTES = 65536
PATH = "/socket.io/?EIO=4&transport=polling&sid="


@pytest.fixture
def listener(server: ServerProcess) -> Iterator[WireListener]:
    """Return a listener on long polling."""
    with closing(WireListener(server.url, polling=True)) as listener:
        yield listener


def post(server: ServerProcess, listener: WireListener, body: bytes | Iterator[bytes]) -> requests.Response:
    """Send a polling POST; the pieces of an iterator are its chunks."""
    return requests.post(f"{server.url}{PATH}{listener.sid}", data=body, timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize("size", [1, 10, len(JOIN)])
def test_events_in_chunks_are_handled(server: ServerProcess, listener: WireListener, size: int) -> None:
    """However the body is cut."""
    response = post(server, listener, (JOIN[start : start + size] for start in range(0, len(JOIN), size)))
    assert (response.status_code, response.text) == (200, "OK")
    while not any(name == "stream_error" for name, _ in listener.events):
        listener.receive()


@pytest.mark.parametrize("in_chunks", [True, False])
def test_a_body_is_bounded(server: ServerProcess, listener: WireListener, in_chunks: bool) -> None:
    """In chunks as with a length."""
    body = b"4" + b"x" * MAX_MESSAGE_BYTES
    pieces = (body[start : start + 8192] for start in range(0, len(body), 8192))
    assert post(server, listener, pieces if in_chunks else body).status_code == 400


@pytest.mark.parametrize("body", [b"no size\r\n", b"5\r\nabc", b""])
def test_malformed_chunks_are_an_error(server: ServerProcess, listener: WireListener, body: bytes) -> None:
    """Not an empty body."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as client:
        client.sendall(
            f"POST {PATH}{listener.sid} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        client.sendall(body)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(12) == b"HTTP/1.1 400"
