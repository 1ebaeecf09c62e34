"""ASF below a path of a host, behind real proxies with the files of deploy/: the clients take the path."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from asf import client
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.command_line import asf
from tests.support.fixtures import audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess
from tests.support.proxies import HAProxyBelowPath, NginxBelowPath, Proxy
from tests.support.secret_values import SECRET_KEY

AUDIO = audio_of(300_000)
ODD_ID = "a//b/../c%2f?ü"
"""A stream id that a proxy must pass on as it was sent."""

PRODUCTION = {"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY, "ASF_STREAM_SLEEP_INTERVAL": "0"}


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return a server that trusts loopback, with a stream."""
    server = ServerProcess(tmp_path_factory.mktemp("behind"), PRODUCTION)
    for number, stream_id in enumerate(("talk", ODD_ID)):
        server.announce(stream_id, AUDIO, f"{number}.mp3")
    yield server
    assert server.stop() == 0, "".join(server.log)


@pytest.fixture(scope="module", params=[NginxBelowPath, HAProxyBelowPath])
def proxy(
    request: pytest.FixtureRequest, behind: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """Return a proxy that serves it below /audio/."""
    proxy = request.param(tmp_path_factory.mktemp("proxy") / "here", [behind.port])
    yield proxy
    proxy.stop()


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_python_client_takes_a_path(proxy: Proxy, behind: ServerProcess, slash: str) -> None:
    """For audio and for UI updates, with or without a slash at its end."""
    url = f"{proxy.url}/audio{slash}"
    received = bytearray()
    client.listen(url, "talk", received.extend)
    assert bytes(received) == AUDIO
    updates = client.watch(url, f"alice{slash}")
    assert isinstance(next(updates), client.Subscribed)
    behind.send_ui_update(f"alice{slash}", "progress", {"percentage": 5}).raise_for_status()
    update = next(updates)
    assert isinstance(update, client.Update)
    assert update.data == {"percentage": 5}


def test_the_command_line_takes_a_path(proxy: Proxy, tmp_path: Path) -> None:
    """As a part of --url."""
    out = tmp_path / "out.mp3"
    heard = asf("listen", "talk", "-o", str(out), url=f"{proxy.url}/audio/")
    assert heard.returncode == 0, heard.stderr
    assert out.read_bytes() == AUDIO


@pytest.mark.parametrize("stream_id", ["talk", ODD_ID])
def test_the_streams_own_url_is_below_the_path(proxy: Proxy, stream_id: str) -> None:
    """Over HTTP and plain WebSocket, whatever the id; with its query."""
    spelled = quote(stream_id, safe="")
    played = requests.get(f"{proxy.url}/audio/api/v1/podcasts/stream/{spelled}", timeout=PATIENCE_SECONDS)
    assert played.content == AUDIO
    listener = PlainListener(f"{proxy.url}/audio", stream_id, offset=7)
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO[7:]


@pytest.mark.parametrize(
    "path",
    [
        "/audio/asf/internal/streams",
        "/audio//asf/internal/streams",
        "/audio/asf/ready",
        "/audio/metrics",
        "/audio/socket.io/../asf/internal/streams",
        "/audio/socket.io/..%2fasf/internal/streams",
        "/audio/asf/internal/streams/..%2f..%2f..%2fsocket.io%2f",
        "/audio/asf/client/../internal/streams",
        "/audio/asf/client/..%2finternal/streams",
        "/asf/internal/streams/..%2f..%2f..%2faudio%2fsocket.io%2f",
        "/asf/internal/streams",
        "//asf/internal/streams",
    ],
)
def test_nothing_else_is_reached(proxy: Proxy, behind: ServerProcess, path: str) -> None:
    """Neither the internal API nor metrics. A proxy on the same machine is not trusted, either."""
    before = _requests_of(behind)
    prepared = requests.Request("GET", proxy.url).prepare()
    prepared.url = f"{proxy.url}{path}"
    with requests.Session() as session:
        answer = session.send(prepared, timeout=PATIENCE_SECONDS)
    assert answer.status_code >= 400
    assert "streams" not in answer.text
    assert _requests_of(behind) == before, "no route of the internal API was asked"


def _requests_of(server: ServerProcess) -> list[str]:
    lines = server.metrics().splitlines()
    return [line for line in lines if 'route="/asf/internal' in line and 'status="404"' not in line]
