"""deploy/nginx.conf and deploy/haproxy.cfg, each in front of three real servers."""

import re
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from asf import client
from tests.support.audience import POLLING, TRANSPORTS, Audience, LightListener, lost_bytes
from tests.support.bounds import PATIENCE_SECONDS, STREAM_SECONDS
from tests.support.engineio_wire import WireListener
from tests.support.fixtures import audio_of
from tests.support.nodes import COUNT, TOKEN, Nodes
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.proxies import HAProxy, Nginx, Proxy
from tests.support.uploader import Sender

AUDIO = audio_of(300_000)
LONG_AUDIO = audio_of(4_000_000)  # ten seconds at the default pace

WEBSOCKET_HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}

INSIDE = [
    "/",
    "/metrics",
    "/asf/ready",
    "/asf/internal/streams",
    "/asf/operator",
    "//asf/internal/streams",
    "/%61sf/internal/streams",
    "/asf/./internal/streams",
    "/socket.io/../asf/internal/streams",
    "/socket.io/%2e%2e/asf/internal/streams",
    "/socket.io/..%2fasf/internal/streams",
    "/asf/internal/streams/..%2f..%2f..%2fsocket.io%2f",
    "/asf/client/../internal/streams",
    "/asf/client/..%2finternal/streams",
    "/api/v1/podcasts/stream/../../../../metrics",
    "/api/v1/podcasts/stream/%2e%2e/%2e%2e/%2e%2e/%2e%2e/metrics",
    "/ASF/internal/streams",
]
"""Paths that are not for listeners, spelt in several ways."""


@pytest.fixture(scope="module")
def shared_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Return three servers, which nobody does harm to."""
    nodes = Nodes(tmp_path_factory.mktemp("nodes"))
    yield nodes
    nodes.stop()


@pytest.fixture(scope="module", params=[Nginx, HAProxy])
def proxy(
    request: pytest.FixtureRequest, shared_nodes: Nodes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """Return a proxy in front of them."""
    proxy: Proxy = request.param(tmp_path_factory.mktemp("proxy") / "proxy", shared_nodes.ports)
    yield proxy
    proxy.stop()


@pytest.fixture
def nodes(shared_nodes: Nodes) -> Nodes:
    """Return the servers, with nobody counted yet."""
    shared_nodes.count_from_now()
    return shared_nodes


def test_every_way_leads_through(nodes: Nodes, proxy: Proxy) -> None:
    """WebSockets without stickiness, long polling by its cookie; byte for byte, and on all nodes."""
    nodes.announce("s", AUDIO)
    with Audience() as audience:
        listeners = audience.join(
            *[LightListener(proxy.port, "s", AUDIO, transport) for transport in TRANSPORTS for _ in range(2 * COUNT)]
        )
        audience.wait_for_all(STREAM_SECONDS)
    assert [listener.error for listener in listeners if listener.error] == []
    assert lost_bytes(listeners) == 0
    assert [listener for listener in listeners if listener.breaks] == []
    assert sum(nodes.joins()) == len(listeners)
    assert min(nodes.joins()) > 0


def test_long_polling_is_spread_and_stays(nodes: Nodes, proxy: Proxy) -> None:
    """Clients that share an address share no node."""
    nodes.announce("s", AUDIO)
    with Audience() as audience:
        listeners = audience.join(*[LightListener(proxy.port, "s", AUDIO, POLLING) for _ in range(4 * COUNT)])
        audience.wait_for_all(STREAM_SECONDS)
    assert lost_bytes(listeners) == 0
    assert [listener for listener in listeners if listener.breaks] == []
    assert min(nodes.joins()) >= 2


def test_an_upgrade_finds_its_session(nodes: Nodes, proxy: Proxy) -> None:
    """From long polling to a WebSocket in mid-stream, wherever the session is."""
    nodes.announce("s", LONG_AUDIO)
    for _ in range(2 * COUNT):
        listener = WireListener(proxy.url, polling=True)
        listener.emit("join_stream", {"stream_id": "s"})
        listener.receive_until("start_of_stream")
        listener.upgrade()
        told = len(listener.audio)
        while len(listener.audio) < told + 100_000:
            listener.receive()
        assert listener.audio == LONG_AUDIO[: len(listener.audio)]
        listener.close()
    assert min(nodes.joins()) > 0


def test_a_client_that_keeps_no_cookie_needs_a_websocket(nodes: Nodes, proxy: Proxy) -> None:
    """Only long polling is given a cookie, as only that needs one."""
    nodes.announce("s", AUDIO)
    polling = requests.get(f"{proxy.url}/socket.io/?EIO=4&transport=polling", timeout=PATIENCE_SECONDS)
    assert polling.headers["Set-Cookie"].startswith("asf_node=asf")
    assert {"httponly", "samesite=lax"} <= {part.strip().lower() for part in polling.headers["Set-Cookie"].split(";")}
    played = requests.get(f"{proxy.url}/api/v1/podcasts/stream/s", timeout=PATIENCE_SECONDS)
    assert "Set-Cookie" not in played.headers
    with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_SECONDS) as connection:
        head = "".join(f"{name}: {value}\r\n" for name, value in WEBSOCKET_HANDSHAKE.items())
        path = "/socket.io/?EIO=4&transport=websocket"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: asf\r\n{head}\r\n".encode())
        answer = connection.recv(4096).decode("latin-1")
    assert answer.startswith("HTTP/1.1 101")
    assert "set-cookie" not in answer.lower()


def test_cues_are_reached(nodes: Nodes, proxy: Proxy) -> None:
    """Those that were posted to one node, at all of them."""
    nodes.announce("cued", AUDIO)
    url = f"http://127.0.0.1:{nodes.ports[0]}/asf/internal/streams/cued/cues"
    requests.post(
        url, json={"cues": [{"id": "1", "start": 1, "text": "one"}]}, timeout=PATIENCE_SECONDS
    ).raise_for_status()
    for _ in nodes.ports:
        response = requests.get(f"{proxy.url}/api/v1/podcasts/cues/cued?format=vtt", timeout=PATIENCE_SECONDS)
        assert response.text == "WEBVTT\n\n1\n00:00:01.000 --> 00:00:06.000\none\n"


def test_the_browser_client_is_reached(proxy: Proxy) -> None:
    """Through the proxy, where pages load it from; an error is that of a node."""
    response = requests.get(f"{proxy.url}/asf/client/nothing.js", timeout=PATIENCE_SECONDS)
    assert (response.status_code, response.json()["error_code"]) == (404, "ASF_NOT_FOUND")


def test_ranges(nodes: Nodes, proxy: Proxy) -> None:
    """Players ask for pieces, and one piece may come from another node than the next one."""
    nodes.announce("s", AUDIO)
    url = f"{proxy.url}/api/v1/podcasts/stream/s"
    whole = requests.get(url, timeout=PATIENCE_SECONDS)
    assert whole.content == AUDIO
    heard = bytearray()
    for start in range(0, len(AUDIO), 50_000):
        headers = {"Range": f"bytes={start}-{start + 49_999}", "If-Range": whole.headers["ETag"]}
        piece = requests.get(url, headers=headers, timeout=PATIENCE_SECONDS)
        assert piece.status_code == 206
        heard += piece.content
    assert heard == AUDIO
    headers = {"If-None-Match": whole.headers["ETag"]}
    assert {requests.get(url, headers=headers, timeout=PATIENCE_SECONDS).status_code for _ in range(COUNT)} == {304}
    assert requests.head(url, timeout=PATIENCE_SECONDS).headers["Content-Length"] == str(len(AUDIO))


def test_what_is_made_is_heard_at_once(nodes: Nodes, proxy: Proxy) -> None:
    """Nothing in between collects audio before it passes it on."""
    path = nodes.all[0].audio_root / "growing.mp3"
    path.write_bytes(AUDIO[:1_000])
    nodes.all[0].notify("growing", str(path), state="generating").raise_for_status()
    url = f"{proxy.url}/api/v1/podcasts/stream/growing"
    with requests.get(url, stream=True, timeout=PATIENCE_SECONDS) as playing:
        pieces = playing.iter_content(None)
        heard = bytearray()
        for end in (1_000, 2_000, 3_000):
            with path.open("ab") as file:
                file.write(AUDIO[path.stat().st_size : end])
            while len(heard) < end:
                heard += next(pieces)
        nodes.all[0].notify("growing", str(path)).raise_for_status()
        for piece in pieces:
            heard += piece
    assert heard == AUDIO[:3_000]


def test_listeners_reach_nothing_else(proxy: Proxy) -> None:
    """However the path is spelt; although the nodes, in debug mode, let everybody in."""
    for path in INSIDE:
        with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_SECONDS) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: asf\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(partial(connection.recv, 4096), b""))
        assert answer.split(b" ", 2)[1] in {b"400", b"404"}, path
        assert not any(word in answer for word in (b'"streams"', b"asf_listeners", b'"ready"')), path


def test_backends_have_a_way_of_their_own(nodes: Nodes, proxy: Proxy) -> None:
    """What is announced there is heard at every node; only the internal API and the page for operators are there."""
    path = nodes.all[0].audio_root / "talk.mp3"
    path.write_bytes(AUDIO)
    with client.BackendClient(proxy.internal_url, token=TOKEN) as backend:
        backend.notify_new_audio("talk", str(path))
    for node in nodes.all:
        assert requests.get(node.stream_url("talk"), timeout=PATIENCE_SECONDS).content == AUDIO
    style = requests.get(f"{proxy.internal_url}/asf/operator/operator.css", timeout=PATIENCE_SECONDS)
    assert style.headers["Content-Type"].startswith("text/css")
    for elsewhere in ("/metrics", "/asf/ready", "/api/v1/podcasts/stream/talk"):
        assert requests.get(f"{proxy.internal_url}{elsewhere}", timeout=PATIENCE_SECONDS).status_code == 404


def test_backends_upload_through_it(nodes: Nodes, proxy: Proxy) -> None:
    """Audio of any size, which is heard while it is sent."""
    address = urlsplit(proxy.internal_url)
    listener = PlainListener(nodes.all[1].url, "upload", wait="true")
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with Sender(address.port or 80, "upload", headers=headers) as sender:
        for start in range(0, len(LONG_AUDIO), 1_000_000):
            sender.send(LONG_AUDIO[start : start + 1_000_000])
            if start < 2_000_000:  # At the documented pace the rest takes too long.
                listener.receive_until_bytes(start + 400_000)
        assert sender.end().status in {200, 201}
    listener.close()
    for node in nodes.all:
        assert requests.get(node.stream_url("upload"), timeout=STREAM_SECONDS).content == LONG_AUDIO


def test_updates_find_their_subscribers(nodes: Nodes, proxy: Proxy) -> None:
    """Whichever nodes these are at, and whichever the update came to; in order, each once."""
    watching = [client.watch(proxy.url, "alice", patience=0) for _ in range(2 * COUNT)]
    assert [next(one) for one in watching] == [client.Subscribed()] * len(watching)
    assert min(_subscriptions(node) for node in nodes.all) > 0
    with client.BackendClient(proxy.internal_url, token=TOKEN) as backend:
        for number in range(4 * COUNT):
            backend.send_ui_update("alice", "n", number)
    for one in watching:
        assert [next(one).data for _ in range(4 * COUNT)] == list(range(4 * COUNT))  # type: ignore[union-attr]
        one.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [Nginx, HAProxy])
def test_one_address_has_its_share(nodes: Nodes, tmp_path: Path, kind: type[Proxy]) -> None:
    """The nodes themselves cannot tell listeners apart behind a proxy."""
    nodes.announce("s", LONG_AUDIO)
    proxy = kind(tmp_path / "proxy", nodes.ports, most=3)
    try:
        listeners = [PlainListener(proxy.url, "s") for _ in range(3)]
        for listener in listeners:
            listener.receive_until("start_of_stream")
        url = f"{proxy.url}/api/v1/podcasts/stream/s"
        assert requests.get(url, timeout=PATIENCE_SECONDS).status_code == 429
        listeners.pop().close()
        eventually(lambda: requests.head(url, timeout=PATIENCE_SECONDS).ok)
        for listener in listeners:
            listener.close()
    finally:
        proxy.stop()


def _subscriptions(node: ServerProcess) -> int:
    match = re.search(r"^asf_ui_subscriptions (\S+)$", node.metrics(), re.MULTILINE)
    assert match is not None
    return int(float(match[1]))
