"""The HTTP side of the real server, where real sockets make a difference."""

import json
import socket
from urllib.parse import urlsplit

import pytest
import requests

from asf import __version__
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import ServerProcess

NOTIFY = "/asf/internal/notify_new_audio"


def exchange(server: ServerProcess, request: bytes) -> tuple[int, dict[str, str]]:
    """Send raw bytes; return the status and JSON of the response."""
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_health(server: ServerProcess) -> None:
    """Alive."""
    assert requests.get(f"{server.url}/asf/health", timeout=PATIENCE_SECONDS).json() == {
        "status": "ok",
        "version": __version__,
    }


def test_a_chunked_body(server: ServerProcess) -> None:
    """Some clients send one."""
    body = json.dumps({"stream_id": "chunked", "filepath": str(server.audio_root / "a.mp3")}).encode()
    pieces = (body[start : start + 10] for start in range(0, len(body), 10))
    headers = {"Content-Type": "application/json"}
    assert (
        requests.post(server.url + NOTIFY, data=pieces, headers=headers, timeout=PATIENCE_SECONDS).status_code == 200
    )


@pytest.mark.parametrize("length", [1_048_577, 50_000_000])
def test_a_body_that_is_too_large(server: ServerProcess, length: int) -> None:
    """Rejected by its declared length, before it is read."""
    head = (
        f"POST {NOTIFY} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    )
    status, answer = exchange(server, head.encode() + b'{"stream_id": "')
    assert (status, answer["error_code"]) == (413, "ASF_PAYLOAD_TOO_LARGE")


def test_a_chunked_body_that_is_too_large(server: ServerProcess) -> None:
    """Rejected when the limit is exceeded."""
    pieces = (b"x" * 65536 for _ in range(20))
    headers = {"Content-Type": "application/json"}
    response = requests.post(server.url + NOTIFY, data=pieces, headers=headers, timeout=PATIENCE_SECONDS)
    assert (response.status_code, response.json()["error_code"]) == (413, "ASF_PAYLOAD_TOO_LARGE")


def test_a_truncated_body(server: ServerProcess) -> None:
    """Shorter than declared, then the connection is closed."""
    head = (
        f"POST {NOTIFY} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
    )
    status, answer = exchange(server, head.encode() + b'{"stream_id": "a"')
    assert (status, answer["error_code"]) in {(400, "ASF_NOTIFY_MALFORMED_JSON"), (400, "ASF_BAD_REQUEST")}


def test_paths_outside_the_audio_roots(server: ServerProcess) -> None:
    """Rejected with the documented error and the reason."""
    for path in (
        "/etc/passwd",
        f"{server.audio_root}/../../etc/passwd",
        f"{server.audio_root}/\0",
        "file:///etc/passwd",
    ):
        response = server.notify("s", path)
        assert (response.status_code, response.json()["error_code"]) == (400, "ASF_NOTIFY_INVALID_FILEPATH")
        assert response.json()["details"]


def test_announcing_again_keeps_the_connection_usable(server: ServerProcess) -> None:
    """Many requests over one connection, valid and invalid ones mixed."""
    with requests.Session() as session:
        for number in range(20):
            body = {"stream_id": f"s{number}", "filepath": str(server.audio_root / "a.mp3") if number % 2 else ""}
            response = session.post(server.url + NOTIFY, json=body, timeout=PATIENCE_SECONDS)
            assert response.status_code == (200 if number % 2 else 400)


def test_unknown_routes_answer_json(server: ServerProcess) -> None:
    """Under /asf/ and elsewhere."""
    for path in ("/asf/internal/nowhere", "/asf", "/nowhere", "/asf/internal/notify_new_audio/"):
        response = requests.get(server.url + path, timeout=PATIENCE_SECONDS)
        assert (response.status_code, response.json()["error_code"]) == (404, "ASF_NOT_FOUND")
