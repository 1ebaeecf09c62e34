"""The lock of the internal API, on real servers: the token, trusted and other peers, and what is forged."""

import http.client
import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from asf import __version__
from asf.adapters.http_api import openapi_document
from asf.client import BackendClient, RequestRejected
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.command_line import asf
from tests.support.fixtures import StartServer
from tests.support.processes import ServerProcess, eventually
from tests.support.secret_values import SECRET_KEY

TOKEN = "correct-horse-battery-staple-0123456789"  # noqa: S105
TRUSTED, STRANGER = "127.1.2.3", "127.0.0.1"
"""Addresses of this machine, all of them loopback, from which to connect."""

LOCKED = {
    "ASF_DEBUG_MODE": "False",
    "ASF_SECRET_KEY": SECRET_KEY,
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
        return Answer(response.status, response.headers, json.loads(response.read() or "null"))
    finally:
        connection.close()


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_requires_authorization(locked: ServerProcess, method: str, path: str) -> None:
    """From untrusted peers without the token; with the documented error, whatever the body."""
    assert len(ROUTES) >= 6
    for body in (b"", b"{", b'{"stream_id": "a", "filepath": "/etc/passwd"}'):
        refused = ask(locked, method, path, body=body)
        assert refused.status == 401
        assert method == "HEAD" or refused.body["error_code"] == "ASF_UNAUTHORIZED"
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        assert refused.headers["Content-Type"] == "application/json"
    opened = ask(locked, method, path, {"Authorization": f"Bearer {TOKEN}"}, source=STRANGER)
    assert opened.status != 401
    again = ask(locked, method, path, source=TRUSTED).status
    assert again == opened.status


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


def test_a_wrong_token_does_not_affect_a_trusted_peer(locked: ServerProcess) -> None:
    """It needs none."""
    wrong = {"Authorization": "Bearer wrong"}
    assert ask(locked, "GET", "/asf/internal/streams", wrong, source=TRUSTED).status == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_a_proxy_on_this_machine_needs_the_token(locked: ServerProcess, header: str) -> None:
    """Its requests come from a trusted address, and are those of strangers."""
    forwarded = {header: "192.0.2.1"}
    refused = ask(locked, "GET", "/asf/internal/streams", forwarded, source=TRUSTED)
    assert refused.status == 401
    assert header in refused.body["details"]
    with_token = forwarded | {"Authorization": f"Bearer {TOKEN}"}
    assert ask(locked, "GET", "/asf/internal/streams", with_token, source=TRUSTED).status == 200


@pytest.mark.parametrize("settings", [{}, {"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY}])
def test_a_page_whose_name_leads_here_has_no_access(start_server: StartServer, settings: dict[str, str]) -> None:
    """In debug mode and in production (DNS rebinding): it cannot read, announce or delete."""
    server = start_server(settings | {"ASF_ALLOWED_HOSTS": "Backend.Internal"})
    server.announce("talk", b"audio")
    rebound = {"Host": f"evil.example:{server.port}", "Origin": f"http://evil.example:{server.port}"}
    foreign = {"Origin": "http://evil.example"}
    for headers in (rebound, {"Host": "evil.example"}, foreign, {"Origin": "null"}):
        for method, path in ROUTES:
            refused = ask(server, method, path.replace("some/stream", "talk"), headers)
            assert refused.status == 401
            assert method == "HEAD" or refused.body["error_code"] == "ASF_UNAUTHORIZED"
    for headers in ({"Host": "backend.internal"}, {"Host": "localhost"}, {"Origin": server.url}):
        assert ask(server, "GET", "/asf/internal/streams/talk", headers).status == 200


def test_an_unauthorized_request_is_rejected_before_the_body_is_read(locked: ServerProcess) -> None:
    """The response arrives while the body is still being sent."""
    with socket.create_connection(("127.0.0.1", locked.port), timeout=PATIENCE_SECONDS) as connection:
        head = "POST /asf/internal/notify_new_audio HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 1000000\r\n\r\n{{".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "path",
    [
        "//asf/internal/streams",
        "///asf/internal/streams",
        "/asf//internal/streams",
        "/asf/internal//streams",
        "/./asf/internal/streams",
        "/asf/./internal/streams",
        "/x/../asf/internal/streams",
        "/asf%2finternal/streams",
        "/asf/internal%2Fstreams",
        "/%61sf/internal/streams",
        "/asf/%69nternal/streams",
        "/%2fasf/internal/streams",
        "/ASF/internal/streams",
        "/asf/Internal/streams",
        "/asf/internal/streams/",
        "/asf/internal;/streams",
        "/asf\\internal/streams",
        "asf/internal/streams",
        "/asf/internal/streams/..%2f..%2f..%2fapi",
        "/asf/internal/streams/a/%2e/b",
        "/asf/internal/streams/..",
        "http://localhost/asf/internal/streams",
        "/%6detrics",
        "//metrics",
        "/asf/%72eady",
    ],
)
def test_a_path_in_another_spelling_is_not_found(locked: ServerProcess, path: str) -> None:
    """A proxy that denies /asf/internal/ may not recognize it. What is variable in a path may be encoded."""
    with socket.create_connection(("127.0.0.1", locked.port), timeout=PATIENCE_SECONDS) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close"
        connection.sendall(f"{head}\r\n\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert (response.status, json.loads(response.read())["error_code"]) == (404, "ASF_NOT_FOUND")


def test_a_stream_id_in_another_spelling_is_found(locked: ServerProcess) -> None:
    """It is decoded, whatever it contains."""
    authorized = {"Authorization": f"Bearer {TOKEN}"}
    body = json.dumps({"stream_id": "/a//b%", "filepath": str(locked.audio_root / "x.mp3")}).encode()
    assert ask(locked, "POST", "/asf/internal/notify_new_audio", authorized, body).status == 200
    for spelled in ("/a//b%25", "%2fa%2F%2f%62%25"):
        found = ask(locked, "GET", f"/asf/internal/streams/{spelled}", authorized)
        assert (found.status, found.body["stream_id"]) == (200, "/a//b%")


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


def test_production_without_a_token_trusts_loopback(start_server: StartServer) -> None:
    """Backends on the same machine need none."""
    server = start_server({"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY})
    assert ask(server, "GET", "/asf/internal/streams", source=TRUSTED).status == 200


@pytest.mark.parametrize("networks", ["none", ""])
def test_only_the_token_grants_access_without_a_trusted_network(start_server: StartServer, networks: str) -> None:
    """Not even loopback, for example behind a proxy on the same machine. By default where a token is set."""
    server = start_server(LOCKED | {"ASF_INTERNAL_TRUSTED_NETWORKS": networks})
    assert ask(server, "GET", "/asf/internal/streams", source=TRUSTED).status == 401
    assert ask(server, "GET", "/asf/internal/streams", {"Authorization": f"Bearer {TOKEN}"}).status == 200


def test_peers_of_ipv4_are_known_on_a_socket_for_both_families(start_server: StartServer) -> None:
    """Which reports them as ::ffff:127.1.2.3."""
    server = start_server(LOCKED | {"ASF_HOST": "::"})
    assert ask(server, "GET", "/asf/internal/streams", source=TRUSTED).status == 200
    assert ask(server, "GET", "/asf/internal/streams").status == 401


IN_DEBUG_MODE = [
    "ASF_SECRET_KEY is not set",
    "The console page at / is open",
    "The internal API is open to anyone",
    "Anyone who can reach this port and knows an id",
]
PROTECTED = {
    "ASF_SECRET_KEY": SECRET_KEY,
    "ASF_INTERNAL_TRUSTED_NETWORKS": "none",
    "ASF_INTERNAL_API_TOKEN": TOKEN,
    "ASF_REQUIRE_TOKENS": "True",
}


def test_each_unprotected_interface_is_one_warning_at_start(start_server: StartServer) -> None:
    """In debug mode and in production; without a warning about what is protected."""
    assert _are_warnings(start_server(), IN_DEBUG_MODE)
    assert _are_warnings(start_server(PROTECTED), ["The console page at / is open"])
    production = PROTECTED | {"ASF_DEBUG_MODE": "False", "ASF_CORS_ALLOWED_ORIGINS": "https://app.example.com"}
    assert _are_warnings(start_server(production), [])
    assert _are_warnings(
        start_server({"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY}),
        ["Every program on this machine can use the internal API", IN_DEBUG_MODE[-1], "Pages of any web origin"],
    )


@pytest.mark.one_process("workers keep the catalog in a private directory")
def test_weak_secrets_and_readable_files_are_warnings_at_start(start_server: StartServer, tmp_path: Path) -> None:
    """A short secret that signs tokens; a .env with secrets, and a database, that all users can read."""
    dotenv, database = tmp_path / ".env", tmp_path / "d.sqlite3"
    dotenv.write_text("ASF_SECRET_KEY=x\n")
    database.touch()
    for path in (dotenv, database):
        path.chmod(0o644)
    settings = {name: value for name, value in PROTECTED.items() if name != "ASF_SECRET_KEY"}
    server = start_server(settings | {"ASF_DATABASE": str(database)})
    assert _are_warnings(
        server,
        [
            "The console page at / is open",
            "ASF_SECRET_KEY can be guessed",
            f"Every user of this machine can read the secrets in {dotenv}",
            f"Every user of this machine can read the catalog of streams in {database}",
        ],
    )
    assert not any("SECRET_KEY=x" in line for line in server.log)


def test_an_insecure_production_server_does_not_start(tmp_path: Any) -> None:
    """One line that says what to set; exit code 2."""
    half_locked = LOCKED | {"ASF_INTERNAL_TRUSTED_NETWORKS": "0.0.0.0/0"}
    refused = asf("serve", cwd=tmp_path, environment=half_locked)
    assert refused.returncode == 2
    (line,) = refused.stderr.decode().splitlines()
    assert line.startswith("ASF_INTERNAL_TRUSTED_NETWORKS is too broad for production (got 0.0.0.0/0).")
    assert TOKEN not in line


def _are_warnings(server: ServerProcess, beginnings: list[str]) -> bool:
    """Return whether the warnings at start begin so, once it listens."""
    eventually(lambda: any("Listening" in line for line in server.log))
    warnings = [
        found[1]
        for line in server.logged()
        if (found := re.search(r'WARNING(?:(?: worker=\d+)? \S+:|.*"message":) "?(.*)', line))
    ]
    return len(warnings) == len(beginnings) and all(
        any(warning.startswith(beginning) for warning in warnings) for beginning in beginnings
    )
