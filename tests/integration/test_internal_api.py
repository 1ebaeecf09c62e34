"""The lock of the internal API, on real servers: the token, trusted and other peers, and what is forged."""

import http.client
import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from asf import __version__
from asf.adapters.http_api import openapi_document
from asf.client import BackendClient, RequestRejected
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.command_line import asf
from tests.support.fixtures import StartServer
from tests.support.processes import ServerProcess, eventually

TOKEN = "correct-horse-battery-staple-0123456789"  # noqa: S105
TRUSTED, STRANGER = "127.1.2.3", "127.0.0.1"
"""Addresses of this machine, all of them loopback, from which to connect."""

LOCKED = {
    "ASF_DEBUG_MODE": "False",
    "ASF_SECRET_KEY": "k" * 32,
    "ASF_INTERNAL_API_TOKEN": TOKEN,
    "ASF_INTERNAL_TRUSTED_NETWORKS": "127.1.0.0/16, ::1",
}
ROUTES = [
    (method.upper(), path.replace("{stream_id}", "some/stream"))
    for path, operations in openapi_document(__version__)["paths"].items()
    for method in operations
    if path.startswith("/asf/internal/")
]


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    body: Any


def ask(
    server: ServerProcess,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    source: str = STRANGER,
) -> Answer:
    """Send a request from one of this machine's addresses."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.port, timeout=PATIENCE_SECONDS, source_address=(source, 0)
    )
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        return Answer(response.status, response.headers, json.loads(response.read()))
    finally:
        connection.close()


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_requires_authorization(locked: ServerProcess, method: str, path: str) -> None:
    """From untrusted peers without the token; with the documented error, whatever the body."""
    assert len(ROUTES) >= 6
    for body in (b"", b"{", b'{"stream_id": "a", "filepath": "/etc/passwd"}'):
        refused = ask(locked, method, path, body=body)
        assert (refused.status, refused.body["error_code"]) == (401, "ASF_UNAUTHORIZED")
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        assert refused.headers["Content-Type"] == "application/json"
    opened = ask(locked, method, path, {"Authorization": f"Bearer {TOKEN}"}, source=STRANGER)
    assert opened.status != 401
    assert ask(locked, method, path, source=TRUSTED).status == opened.status


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"X-Forwarded-For": TRUSTED},
        {"X-Forwarded-For": f"{TRUSTED}, {TRUSTED}"},
        {"X-Real-IP": TRUSTED},
        {"Forwarded": f"for={TRUSTED}"},
        {"Remote-Addr": TRUSTED},
        {"Host": TRUSTED},
    ],
)
def test_nothing_else_grants_access(locked: ServerProcess, headers: dict[str, str]) -> None:
    """No other token, and no header about the sender."""
    assert ask(locked, "GET", "/asf/internal/streams", headers).status == 401


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a server with a protected internal API, shared by the tests of this module."""
    server = ServerProcess(tmp_path_factory.mktemp("locked"), LOCKED)
    yield server
    assert server.stop() == 0, "".join(server.log)


def test_a_forged_header_does_not_affect_a_trusted_peer(locked: ServerProcess) -> None:
    """It is ignored."""
    forged = {"X-Forwarded-For": "192.0.2.1", "Authorization": "Bearer wrong"}
    assert ask(locked, "GET", "/asf/internal/streams", forged, source=TRUSTED).status == 200


def test_an_unauthorized_request_is_rejected_before_the_body_is_read(locked: ServerProcess) -> None:
    """The response arrives while the body is still being sent."""
    with socket.create_connection(("127.0.0.1", locked.port), timeout=PATIENCE_SECONDS) as connection:
        head = "POST /asf/internal/notify_new_audio HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 1000000\r\n\r\n{{".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_other_routes_stay_open(locked: ServerProcess) -> None:
    """Only the internal API is protected."""
    for path in ("/asf/health", "/asf/openapi.json"):
        assert ask(locked, "GET", path).status == 200


def test_the_clients_send_the_token(locked: ServerProcess) -> None:
    """In Python and on the command line; and report a rejection."""
    with BackendClient(locked.url, token=TOKEN) as backend:
        backend.notify_new_audio("talk", locked.audio_root / "talk.mp3")
    with BackendClient(locked.url, token="wrong") as backend, pytest.raises(RequestRejected) as refusal:  # noqa: S106
        backend.stream("talk")
    assert (refusal.value.status, refusal.value.error_code) == (401, "ASF_UNAUTHORIZED")
    shown = asf("streams", "talk", url=locked.url, environment={"ASF_INTERNAL_API_TOKEN": TOKEN})
    assert shown.returncode == 0
    refused = asf("streams", url=locked.url)
    assert refused.returncode == 1
    assert b"ASF_UNAUTHORIZED" in refused.stderr
    assert b"ASF_INTERNAL_API_TOKEN with --token" in refused.stderr
    assert b"Traceback" not in refused.stderr


def test_production_trusts_loopback_by_default(start_server: StartServer) -> None:
    """Backends on the same machine need no token."""
    server = start_server({"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": "k" * 32})
    assert ask(server, "GET", "/asf/internal/streams", source=TRUSTED).status == 200
    assert not any("WARNING" in line for line in server.log)


def test_only_the_token_grants_access_without_a_trusted_network(start_server: StartServer) -> None:
    """Not even loopback, for example behind a proxy on the same machine."""
    server = start_server(LOCKED | {"ASF_INTERNAL_TRUSTED_NETWORKS": "none"})
    assert ask(server, "GET", "/asf/internal/streams", source=TRUSTED).status == 401
    assert ask(server, "GET", "/asf/internal/streams", {"Authorization": f"Bearer {TOKEN}"}).status == 200


def test_peers_of_ipv4_are_known_on_a_socket_for_both_families(start_server: StartServer) -> None:
    """Which reports them as ::ffff:127.1.2.3."""
    server = start_server(LOCKED | {"ASF_HOST": "::"})
    assert ask(server, "GET", "/asf/internal/streams", source=TRUSTED).status == 200
    assert ask(server, "GET", "/asf/internal/streams").status == 401


def test_each_unprotected_interface_is_one_warning_at_start(start_server: StartServer) -> None:
    """In debug mode; without a warning about what is protected."""
    assert _warned_of(start_server()) == ["ASF_SECRET_KEY", "The internal API is open", "ASF_REQUIRE_TOKENS"]
    shut = {"ASF_SECRET_KEY": "k" * 32, "ASF_INTERNAL_TRUSTED_NETWORKS": "127.0.0.0/8", "ASF_REQUIRE_TOKENS": "True"}
    assert _warned_of(start_server(shut)) == []


def test_an_insecure_production_server_does_not_start(tmp_path: Any) -> None:
    """One line that says what to set; exit code 2."""
    half_locked = LOCKED | {"ASF_INTERNAL_TRUSTED_NETWORKS": "0.0.0.0/0"}
    refused = asf("serve", cwd=tmp_path, environment=half_locked)
    assert refused.returncode == 2
    (line,) = refused.stderr.decode().splitlines()
    assert line.startswith("ASF_INTERNAL_TRUSTED_NETWORKS is too broad for production (got 0.0.0.0/0).")
    assert TOKEN not in line


def _warned_of(server: ServerProcess) -> list[str]:
    """Return how the warnings at start begin, once it listens."""
    eventually(lambda: any("Listening" in line for line in server.log))
    return [
        found[1]
        for line in server.log
        if (found := re.search(r"WARNING \S+: (ASF_\w+|The internal API is open)", line))
    ]
