"""deploy/nginx.conf and deploy/haproxy.cfg, each in front of three real servers."""

import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import requests

from asf import client
from tests.support.audience import PLAIN, POLLING, SOCKET_IO, TRANSPORTS, Audience, LightListener, lost_bytes
from tests.support.engineio_wire import WireListener
from tests.support.fixtures import audio_of
from tests.support.nodes import COUNT, TOKEN, Nodes
from tests.support.plain_websocket import PlainListener
from tests.support.processes import PATIENCE_SECONDS, ServerProcess, eventually
from tests.support.proxies import HAProxy, Nginx, Proxy

AUDIO = audio_of(300_000)
LONG_AUDIO = audio_of(4_000_000)  # ten seconds at the default pace
TOO_LONG_AUDIO = audio_of(24_000_000)  # a minute
QUERY_SECRET = "nobody-may-read-this"  # noqa: S105 - it is to be looked for
GIVE_UP_SECONDS = 8.0
"""Two checks of 2 s, half a second between them, up to a second before; and a busy machine."""

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
    "//asf/internal/streams",
    "/%61sf/internal/streams",
    "/asf/./internal/streams",
    "/socket.io/../asf/internal/streams",
    "/socket.io/%2e%2e/asf/internal/streams",
    "/socket.io/..%2fasf/internal/streams",
    "/api/v1/podcasts/stream/../../../../metrics",
    "/api/v1/podcasts/stream/%2e%2e/%2e%2e/%2e%2e/%2e%2e/metrics",
    "/ASF/internal/streams",
]
"""Paths that are not for listeners, spelt in several ways."""


@pytest.fixture
def drain_seconds() -> float:
    """Return how long listeners may stay at the end of the servers."""
    return 0.0


@pytest.fixture
def nodes(tmp_path: Path, drain_seconds: float) -> Iterator[Nodes]:
    """Return three servers."""
    nodes = Nodes(tmp_path, {"ASF_DRAIN_SECONDS": str(drain_seconds)})
    yield nodes
    nodes.stop()


@pytest.fixture(params=[Nginx, HAProxy])
def proxy(request: pytest.FixtureRequest, nodes: Nodes, tmp_path: Path) -> Iterator[Proxy]:
    """Return a proxy in front of them."""
    proxy: Proxy = request.param(tmp_path / "proxy", nodes.ports)
    yield proxy
    proxy.stop()


def test_every_way_leads_through(nodes: Nodes, proxy: Proxy) -> None:
    """WebSockets without stickiness, long polling by its cookie; byte for byte, and on all nodes."""
    nodes.announce("s", AUDIO)
    with Audience() as audience:
        listeners = audience.join(
            *[LightListener(proxy.port, "s", AUDIO, transport) for transport in TRANSPORTS for _ in range(2 * COUNT)]
        )
        audience.wait_for_all()
    assert [listener.error for listener in listeners if listener.error] == []
    assert lost_bytes(listeners) == 0
    assert sum(listener.breaks for listener in listeners) == 0
    assert sum(nodes.joins()) == len(listeners)
    assert min(nodes.joins()) > 0


def test_long_polling_is_spread_and_stays(nodes: Nodes, proxy: Proxy) -> None:
    """Clients that share an address share no node."""
    nodes.announce("s", AUDIO)
    with Audience() as audience:
        listeners = audience.join(*[LightListener(proxy.port, "s", AUDIO, POLLING) for _ in range(4 * COUNT)])
        audience.wait_for_all()
    assert lost_bytes(listeners) == 0
    assert sum(listener.breaks for listener in listeners) == 0
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
    """What is announced there is heard at every node; nothing but the internal API is there."""
    path = nodes.all[0].audio_root / "talk.mp3"
    path.write_bytes(AUDIO)
    with client.BackendClient(proxy.internal_url, token=TOKEN) as backend:
        backend.notify_new_audio("talk", str(path))
    for node in nodes.all:
        assert requests.get(node.stream_url("talk"), timeout=PATIENCE_SECONDS).content == AUDIO
    for elsewhere in ("/metrics", "/asf/ready", "/api/v1/podcasts/stream/talk"):
        assert requests.get(f"{proxy.internal_url}{elsewhere}", timeout=PATIENCE_SECONDS).status_code == 404


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


def test_no_token_is_logged(nodes: Nodes, proxy: Proxy) -> None:
    """Neither when all is well nor when no node answers."""
    nodes.announce("s", AUDIO)
    paths = (
        f"/api/v1/podcasts/stream/s?token={QUERY_SECRET}",
        f"/socket.io/?EIO=4&transport=polling&token={QUERY_SECRET}",
    )

    def ask() -> list[int]:
        headers = {"Referer": f"https://app.example.com/?token={QUERY_SECRET}"}
        return [
            requests.get(f"{proxy.url}{path}", headers=headers, timeout=PATIENCE_SECONDS).status_code
            for path in paths
        ]

    assert ask() == [200, 200]
    for node in nodes.all:
        node.kill()
    assert set(ask()) <= {502, 503}
    eventually(lambda: proxy.log.count("/api/v1/podcasts/stream/s") >= 2)
    assert QUERY_SECRET not in proxy.log


@pytest.mark.parametrize("drain_seconds", [3600.0])
def test_a_node_that_drains_gets_nobody_more(nodes: Nodes, proxy: Proxy) -> None:
    """At once, whatever the door. Who is there hears on, on long polling too."""
    nodes.announce("s", TOO_LONG_AUDIO)
    there = []
    for _ in range(COUNT):
        for polling in (True, False):
            listener = WireListener(proxy.url, polling=polling)
            listener.emit("join_stream", {"stream_id": "s"})
            there.append(listener)
    for listener in there:
        listener.receive_until("start_of_stream")
    assert min(nodes.listeners()) > 0
    number = nodes.listeners().index(max(nodes.listeners()))
    stay = nodes.listeners()[number]
    joins = nodes.joins()[number]
    nodes.all[number].process.terminate()
    eventually(lambda: "Draining" in "".join(nodes.all[number].log))

    for _ in range(COUNT):
        _come_by_every_door(proxy)
    assert nodes.joins()[number] == joins
    assert nodes.listeners()[number] == stay

    while sum("server_draining" in _statuses(listener) for listener in there) < stay:
        _hear_more(there)  # They have heard nothing for a while: there is much before that.
    _hear_more(there)
    assert nodes.listeners()[number] == stay
    for listener in there:
        listener.emit("leave_stream", {})  # One on long polling would be missed after a while only.
        listener.close()
    assert nodes.all[number].wait() == 0


@pytest.mark.parametrize("drain_seconds", [2.0])
def test_all_nodes_are_restarted_and_nobody_loses_a_byte(nodes: Nodes, proxy: Proxy) -> None:
    """One after the other, as docs/production.md has it, under clients that begin with long polling."""
    nodes.announce("s", TOO_LONG_AUDIO[:8_000_000])
    received = [bytearray() for _ in range(2 * COUNT)]
    listening = [
        threading.Thread(target=client.listen, args=(proxy.url, "s", audio.extend), daemon=True) for audio in received
    ]
    for thread in listening:
        thread.start()
    eventually(lambda: all(received))
    for number in range(COUNT):
        assert nodes.all[number].stop() == 0
        nodes.start_again(number)
        eventually(lambda: requests.get(f"{nodes.all[number].url}/asf/ready", timeout=PATIENCE_SECONDS).ok)  # noqa: B023
    for thread in listening:
        thread.join(60)
    assert [len(audio) for audio in received] == [8_000_000] * len(received)
    assert all(audio == TOO_LONG_AUDIO[:8_000_000] for audio in received)


def test_a_reload_cuts_nobody_off(nodes: Nodes, proxy: Proxy) -> None:
    """Who is there hears on by the earlier process, and who comes finds the new one."""
    nodes.announce("s", LONG_AUDIO)
    with Audience() as audience:
        listeners = audience.join(
            *[
                LightListener(proxy.port, "s", LONG_AUDIO, transport, http_bytes_per_second=500_000)
                for transport in TRANSPORTS
            ]
        )
        audience.wait_until(lambda listener: listener.hears)
        proxy.reload()
        audience.wait_for_all()
    assert all(listener.ended for listener in listeners)
    # A connection that was idle in that moment, between two polls, may be closed.
    assert [one.transport for one in listeners if one.breaks] in ([], [POLLING])
    assert lost_bytes(listeners) == 0
    late = PlainListener(proxy.url, "s")
    late.receive_until("start_of_stream")
    late.close()


def test_haproxy_asks_whether_a_node_is_ready(tmp_path: Path) -> None:
    """One that misses its audio gets no new listeners, keeps those that it has, and is back when it has found it."""
    roots = [tmp_path / "audio", *(tmp_path / f"root{number}" for number in range(COUNT))]
    for root in roots:
        root.mkdir()
    nodes = Nodes(tmp_path, each=[{"ASF_AUDIO_ROOTS": f"{roots[0]}:{root}"} for root in roots[1:]])
    proxy = HAProxy(tmp_path / "proxy", nodes.ports)
    try:
        nodes.announce("s", TOO_LONG_AUDIO)
        there = [WireListener(proxy.url, polling=number % 2 == 0) for number in range(2 * COUNT)]
        for listener in there:
            listener.emit("join_stream", {"stream_id": "s"})
            listener.receive_until("start_of_stream")
        before = nodes.joins()
        assert min(before) > 0
        shutil.rmtree(roots[1])
        eventually(lambda: "Server nodes/asf1 is stopping" in proxy.log)
        for number in range(4 * COUNT):
            late = WireListener(proxy.url, polling=number % 2 == 0)
            late.emit("join_stream", {"stream_id": "s"})
            late.receive_until("start_of_stream")
            late.close()
        assert nodes.joins()[0] == before[0]
        _hear_more(there)
        for listener in there:
            listener.close()
        roots[1].mkdir()
        eventually(lambda: "Server nodes/asf1 is UP" in proxy.log)
    finally:
        proxy.stop()
        nodes.stop()


def test_haproxy_gives_up_a_node_that_says_nothing(nodes: Nodes, tmp_path: Path) -> None:
    """As from a machine that is gone: its listeners are cut and go on elsewhere, and nobody comes to it."""
    nodes.announce("s", TOO_LONG_AUDIO)
    proxy = HAProxy(tmp_path / "proxy", nodes.ports)
    hung = nodes.all[0].process
    try:
        with Audience() as audience:
            listeners = audience.join(
                *(
                    LightListener(proxy.port, "s", TOO_LONG_AUDIO, transport)
                    for transport in (SOCKET_IO, POLLING, PLAIN)
                    for _ in range(2 * COUNT)
                )
            )
            audience.wait_until(lambda listener: listener.hears)
            on_it = nodes.listeners()[0]
            assert on_it > 0
            hung.send_signal(signal.SIGSTOP)
            stopped_at = time.monotonic()
            eventually(lambda: sum(listener.breaks > 0 for listener in listeners) >= on_it)
            assert time.monotonic() - stopped_at < GIVE_UP_SECONDS
            places = {listener: listener.offset for listener in listeners}
            audience.wait_until(lambda listener: listener.offset > places[listener])
            assert "Server nodes/asf1 is DOWN" in proxy.log
            _come_by_every_door(proxy)
        assert sum(listener.wrong for listener in listeners) == 0
    finally:
        hung.send_signal(signal.SIGCONT)
        proxy.stop()


def _come_by_every_door(proxy: Proxy) -> None:
    """Listen to the first bytes, each time as somebody new."""
    for polling in (True, False):
        listener = WireListener(proxy.url, polling=polling)
        listener.emit("join_stream", {"stream_id": "s"})
        listener.receive_until("start_of_stream")
        listener.emit("leave_stream", {})
        listener.close()
    plain = PlainListener(proxy.url, "s")
    plain.receive_until("start_of_stream")
    plain.close()
    url = f"{proxy.url}/api/v1/podcasts/stream/s"
    answer = requests.get(url, headers={"Range": "bytes=0-99"}, timeout=PATIENCE_SECONDS)
    assert answer.content == TOO_LONG_AUDIO[:100]


def _subscriptions(node: ServerProcess) -> int:
    match = re.search(r"^asf_ui_subscriptions (\S+)$", node.metrics(), re.MULTILINE)
    assert match is not None
    return int(float(match[1]))


def _told_of_the_drain(listeners: list[WireListener]) -> int:
    """Let each listener receive something, and return how many were told of the drain."""
    for listener in listeners:
        listener.receive()
    return sum("server_draining" in _statuses(listener) for listener in listeners)


def _hear_more(listeners: Sequence[WireListener]) -> None:
    for listener in listeners:
        goal = len(listener.audio) + 100_000
        while len(listener.audio) < goal:
            listener.receive()
        assert listener.audio == TOO_LONG_AUDIO[: len(listener.audio)]


def _statuses(listener: WireListener) -> list[str]:
    return [data["status"] for name, data in listener.events if name == "stream_status"]
