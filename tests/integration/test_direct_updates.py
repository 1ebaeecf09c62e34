"""Single updates have one response, whether Flask's route or the one in front of it answers."""

import socket
from http.client import HTTPResponse
from typing import Any

import pytest

from tests.integration.test_update_lines import BAD_LINES, SINGLE_URL, TOKEN
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer
from tests.support.line_sender import line_of
from tests.support.processes import ServerProcess

CHANGING = {"Date"}


def respond(port: int, body: bytes, headers: dict[str, str], *, direct: bool) -> tuple[int, dict[str, str], bytes]:
    """Return the response: the parameter of the media type makes the head one that is left to Flask."""
    media = "application/json" if direct else "application/json; charset=utf-8"
    named = {"Host": "127.0.0.1", "Content-Type": media, "Content-Length": str(len(body))} | headers
    lines = [f"POST {SINGLE_URL} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        response = HTTPResponse(connection)
        response.begin()
        with response:
            content = response.read()
    return response.status, {name: value for name, value in response.headers.items() if name not in CHANGING}, content


@pytest.mark.parametrize("body", [*BAD_LINES, b"  ", line_of("x", "text"), line_of("x", {"a": [1.5, None, "ü"]})])
def test_the_responses_are_the_same(server: ServerProcess, body: bytes) -> None:
    """Byte for byte, except for the number of the update."""
    responses: list[Any] = []
    for direct in (True, False):
        status, headers, content = respond(server.port, body, {}, direct=direct)
        text = content.decode()
        number = text.partition('"seq":')[2].partition(",")[0]
        responses.append((status, headers | {"Content-Length": ""}, text.replace(f'"seq":{number}', '"seq":0')))
    assert responses[0] == responses[1]


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"bearer {TOKEN}"}, {"X-Forwarded-For": "::1"}],
)
def test_the_same_may_send(start_server: StartServer, headers: dict[str, str]) -> None:
    """Who has the token."""
    server = start_server({"ASF_INTERNAL_API_TOKEN": TOKEN, "ASF_INTERNAL_TRUSTED_NETWORKS": "none"})
    statuses = set()
    for direct in (True, False):
        status, found, content = respond(server.port, line_of("x", 1, idempotency_key="k"), headers, direct=direct)
        statuses.add((status, found.get("WWW-Authenticate"), content.replace(b"true", b"false")))
    assert len(statuses) == 1


def test_a_body_that_does_not_come(server: ServerProcess) -> None:
    """A client that ends its side before receives a 400, also if what came is an update."""
    line = line_of("cut", 1)
    head = [
        f"POST {SINGLE_URL} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(line) + 1}",
    ]
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + line)
        connection.shutdown(socket.SHUT_WR)
        response = HTTPResponse(connection)
        response.begin()
        with response:
            assert response.status == 400
            assert b"ASF_BAD_REQUEST" in response.read()
