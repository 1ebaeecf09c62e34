"""Ordinary heads are read as the library's parser reads them, and all others are left to it."""

import re
from contextlib import suppress
from typing import Any

import eventlet
import eventlet.wsgi
import pytest
from eventlet.green import socket
from hypothesis import example, given
from hypothesis import strategies as st

from asf.adapters.eventlet_runtime import http_protocol
from asf.adapters.eventlet_runtime.http_protocol import BoundedHttpProtocol
from asf.adapters.eventlet_runtime.plain_head import MAX_HEADERS, read_plain_head
from asf.adapters.serving import HttpTimeouts

pytestmark = pytest.mark.usefixtures("endless_turns")

HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost:5006\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

NEAR_MISSES = [
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET /\r\n\r\n",
    b"get / HTTP/1.1\r\n\r\n",
    b"GET //a HTTP/1.1\r\n\r\n",
    b"GET http://a/ HTTP/1.1\r\n\r\n",
    b"GET * HTTP/1.1\r\n\r\n",
    b"GET  / HTTP/1.1\r\n\r\n",
    b"GET /\xe9 HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1 \r\n\r\n",
    b"GET / HTTP/1.1\n\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: b\rB: c\r\n\r\n",
    b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
    b"GET / HTTP/1.1\r\n A: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: b \r\n\r\n",
    b"GET / HTTP/1.1\r\nA: \xe9\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: \x0b\r\n\r\n",
    b"GET / HTTP/1.1\r\n: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nA\r\n\r\n",
    b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
    b"GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: \r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Type: Multipart/form-data; boundary=a\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Type: message/rfc822\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (MAX_HEADERS + 1) + b"\r\n",
    b"GET / HTTP/1.1\r\nA: b\r\n",
    HANDSHAKE[:-1],
    b"",
]


def answer_to(data: bytes) -> tuple[list[dict[str, Any]], bytes]:
    """Return the environments of the requests in `data`, as an application gets them, and the responses."""
    environs: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read()
        plain = {name: value for name, value in environ.items() if isinstance(value, str | tuple)}
        environs.append(plain | {"body": body})
        start_response("200 OK", [("Date", "today")])
        return [b"answer"]

    near, far = socket.socketpair()
    server = eventlet.wsgi.Server(
        near, ("a", 1), application, log_output=False, keepalive=75.0, max_http_version="HTTP/1.1"
    )
    connection = [("192.0.2.1", 5), near, eventlet.wsgi.STATE_IDLE, None]
    far.sendall(data)
    far.shutdown(socket.SHUT_WR)
    with suppress(OSError):
        BoundedHttpProtocol(connection, server, HttpTimeouts(), lambda _path: True)
    received = b""
    with suppress(OSError):
        while part := far.recv(65536):
            received += part
    far.close()
    return environs, re.sub(rb"Date: .*?\r\n", b"", received)


def by_library(data: bytes) -> tuple[list[dict[str, Any]], bytes]:
    """Return the same where every head is left to the library."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_protocol, "read_plain_head", lambda _data: None)
        return answer_to(data)


TOKENS = st.text(st.sampled_from("!#$%&'*+-.^_`|~09AZaz"), min_size=1, max_size=8)
NAMES = st.one_of(
    TOKENS,
    st.sampled_from(
        [
            "Host",
            "Connection",
            "connection",
            "Content-Type",
            "Content-Length",
            "Cookie",
            "X-Forwarded-For",
            "Upgrade",
            "Content_Length",
        ]
    ),
)
VALUES = st.one_of(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12).map(str.strip),
    st.sampled_from(["close", "keep-alive", "Upgrade, close", "0", "3", "text/html; charset=x", "websocket"]),
)
TARGETS = st.builds("/{}".format, st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20))
SPACES = st.sampled_from([" ", "", "\t", "  "])


@st.composite
def ordinary_requests(draw: st.DrawFn) -> bytes:
    """Return what may be an ordinary request, with a body where its head says so."""
    fields = draw(st.lists(st.tuples(NAMES, SPACES, VALUES), max_size=6))
    lines = "".join(f"{name}:{space}{value}\r\n" for name, space, value in fields)
    return f"{draw(st.sampled_from(['GET', 'POST', 'HEAD', 'PUT']))} {draw(TARGETS)} HTTP/1.1\r\n{lines}\r\n".encode()


@given(st.lists(ordinary_requests(), min_size=1, max_size=3), st.binary(max_size=4))
@example([HANDSHAKE], b"")
@example([HANDSHAKE, HANDSHAKE], b"rest")
@example([b"POST /a%20b?c=%20 HTTP/1.1\r\nContent-Length: 3\r\nA: b\r\na: c\r\n\r\n"], b"xyz")
def test_ordinary_heads_are_read_as_by_the_library(requests: list[bytes], rest: bytes) -> None:
    """The environments are equal, and the responses, also of several requests behind one another."""
    data = b"".join(requests) + rest
    assert answer_to(data) == by_library(data)


@pytest.mark.parametrize("head", NEAR_MISSES)
def test_other_heads_are_left_to_the_library(head: bytes) -> None:
    """Whether it rejects them or not."""
    assert read_plain_head(head) is None


@given(st.binary(max_size=60), st.integers(0, len(HANDSHAKE)), st.integers(0, 10))
def test_no_head_is_read_in_another_way(noise: bytes, at: int, missing: int) -> None:
    """Whatever is put in the midst of an ordinary one, or missing there."""
    data = HANDSHAKE[:at] + noise + HANDSHAKE[at + missing :]
    if read_plain_head(data) is not None:
        assert answer_to(data) == by_library(data)


def test_an_ordinary_head_is_read_at_once() -> None:
    """With what it says, and how long it is."""
    found = read_plain_head(HANDSHAKE + b"behind it")
    assert found is not None
    head, length = found
    assert (head.method, head.target, length) == ("GET", "/socket.io/?EIO=4&transport=websocket", len(HANDSHAKE))
    assert (head.get("UPGRADE"), head.get("Cookie")) == ("websocket", None)


def test_the_application_gets_the_request() -> None:
    """The comparison with the library compares something."""
    (environ,), response = answer_to(HANDSHAKE)
    assert environ["HTTP_SEC_WEBSOCKET_VERSION"] == "13"
    assert environ["QUERY_STRING"] == "EIO=4&transport=websocket"
    assert response.startswith(b"HTTP/1.1 200 OK\r\n")
