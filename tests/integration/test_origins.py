"""Clients that send the origin of the server itself, where origins are listed."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import requests
import websocket

from asf.client import Subscribed, Update, watch
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.command_line import asf
from tests.support.engineio_wire import NAMESPACE
from tests.support.fixtures import audio_of
from tests.support.ordered_client import OrderedClient
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess

LISTED = "https://app.example"
AUDIO = audio_of(200_000)
PATIENCE = int(PATIENCE_SECONDS)
ENGINEIO = "/socket.io/?EIO=4&transport"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return a server for pages of one origin, with a stream."""
    server = ServerProcess(tmp_path_factory.mktemp("origins"), {"ASF_CORS_ALLOWED_ORIGINS": LISTED})
    server.announce("s", AUDIO)
    yield server
    processes = len(server.pids()[1:]) or 1  # Its workers, if it has some.
    assert server.stop() == 0
    # One line of each process for each kind of refusal, from the tests that are refused.
    assert sum("is not an accepted origin" in line for line in server.log) <= processes, server.log


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]], ids="-".join)
@pytest.mark.parametrize("listeners", [3])
def test_python_socketio_connects_with_its_defaults(
    server: ServerProcess, transports: list[str], listeners: int
) -> None:
    """Three hear every byte over each transport, and the upgrade succeeds."""
    clients = [OrderedClient() for _ in range(listeners)]
    for client in clients:
        client.connect(server.url, namespace=NAMESPACE, transports=transports, wait_timeout=PATIENCE)
        assert client.transport == transports[-1]
        client.emit("join_stream", {"stream_id": "s"})
    for client in clients:
        audio = b""
        while len(audio) < len(AUDIO):
            name, payload = client.receive(timeout=PATIENCE_SECONDS)
            audio += payload if name == "audio_chunk" else b""
        assert audio == AUDIO
        client.disconnect()


def test_websocket_client_connects_with_its_defaults(server: ServerProcess) -> None:
    """It sends the origin of the server; three hear every byte."""
    listeners = [PlainListener(server.url, "s") for _ in range(3)]
    for listener in listeners:
        assert listener.receive_to_the_end() == 1000
        assert listener.audio == AUDIO


def test_the_command_line_listens(server: ServerProcess, tmp_path: Path) -> None:
    """As with any other origins."""
    done = asf("listen", "s", "-o", str(tmp_path / "heard"), url=server.url)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "heard").read_bytes() == AUDIO


def test_the_python_client_watches(server: ServerProcess) -> None:
    """Over a WebSocket, to which it upgrades."""
    watching = watch(server.url, "alice")
    assert next(watching) == Subscribed()
    server.send_ui_update("alice", "progress", 1).raise_for_status()
    update = next(watching)
    assert isinstance(update, Update)
    assert update.data == 1
    watching.close()  # type: ignore[attr-defined] # a generator


@pytest.mark.parametrize("path", ["/api/v1/podcasts/stream/s", f"{ENGINEIO}=websocket"])
@pytest.mark.parametrize(
    ("origin", "host", "admitted"),
    [
        (LISTED, "asf.example", True),
        ("https://asf.example", "asf.example", True),
        ("https://evil.example", "asf.example", False),
        ("https://asf.example:444", "asf.example", False),
        ("null", "asf.example", False),
    ],
)
def test_pages_of_other_sites_do_not_connect(
    server: ServerProcess, path: str, origin: str, host: str, admitted: bool
) -> None:
    """By the same rule at both doors."""
    with nullcontext() if admitted else pytest.raises(websocket.WebSocketBadStatusException, match=r"40[03]"):
        websocket.create_connection(
            server.url.replace("http", "ws", 1) + path, origin=origin, host=host, timeout=PATIENCE_SECONDS
        ).shutdown()


@pytest.mark.parametrize(
    ("origin", "status"), [(LISTED, 200), ("http://asf.example", 200), ("http://evil.example", 400)]
)
def test_long_polling_has_the_same_rule(server: ServerProcess, origin: str, status: int) -> None:
    """Browsers send an origin with it to other sites, and with POST to the own one."""
    headers = {"Origin": origin, "Host": "asf.example"}
    response = requests.get(f"{server.url}{ENGINEIO}=polling", headers=headers, timeout=PATIENCE_SECONDS)
    assert response.status_code == status
    assert response.headers.get("Access-Control-Allow-Origin") == (origin if status == 200 else None)


def test_an_empty_list_admits_the_server_s_own_pages_only(tmp_path: Path) -> None:
    """At each door."""
    server = ServerProcess(tmp_path, {"ASF_CORS_ALLOWED_ORIGINS": ""})
    server.announce("s", AUDIO)
    for origin, status in (("http://asf.example", 200), (LISTED, 400)):
        headers = {"Origin": origin, "Host": "asf.example"}
        response = requests.get(f"{server.url}{ENGINEIO}=polling", headers=headers, timeout=PATIENCE_SECONDS)
        assert response.status_code == status
    audio = requests.get(server.stream_url("s"), headers={"Origin": LISTED}, timeout=PATIENCE_SECONDS)
    assert audio.content == AUDIO
    assert "Access-Control-Allow-Origin" not in audio.headers
    url = server.url.replace("http", "ws", 1) + "/api/v1/podcasts/stream/s"
    with pytest.raises(websocket.WebSocketBadStatusException, match=r"40[03]"):
        websocket.create_connection(url, origin=LISTED, timeout=PATIENCE_SECONDS)
    assert server.stop() == 0
