"""deploy/nginx.conf and deploy/haproxy.cfg, each in front of three real servers that go, hang and come back."""

import os
import shutil
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import requests

from asf import client
from tests.support.audience import PLAIN, POLLING, SOCKET_IO, TRANSPORTS, Audience, LightListener, lost_bytes
from tests.support.bounds import PATIENCE_SECONDS, STREAM_SECONDS
from tests.support.engineio_wire import WireListener
from tests.support.fixtures import audio_of
from tests.support.nodes import COUNT, Nodes
from tests.support.plain_websocket import PlainListener
from tests.support.processes import eventually
from tests.support.proxies import DEPLOY, HAProxy, Nginx, Proxy

AUDIO = audio_of(300_000)
LONG_AUDIO = audio_of(2_000_000)  # five seconds at the default pace
QUERY_SECRET = "nobody-may-read-this"  # noqa: S105 - it is to be looked for


def make_too_long_audio() -> bytes:
    """Return audio: a minute."""
    return audio_of(24_000_000)


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
    nodes.announce("s", make_too_long_audio())
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
    eventually(lambda: "Shutting down" in "".join(nodes.all[number].log))

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
    nodes.announce("s", make_too_long_audio()[:5_600_000])
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
        thread.join(STREAM_SECONDS)
    assert [len(audio) for audio in received] == [5_600_000] * len(received)
    assert all(audio == make_too_long_audio()[:5_600_000] for audio in received)


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
        audience.wait_until(lambda listener: listener.hears, PATIENCE_SECONDS)
        proxy.reload()
        audience.wait_for_all(STREAM_SECONDS)
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
        nodes.announce("s", make_too_long_audio())
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


def test_haproxy_gives_up_a_node_after_two_checks() -> None:
    """That is a second until the first one, half a second between them, and two for each: what the file says."""
    said = (DEPLOY / HAProxy.file).read_text()
    assert "inter 1s fastinter 500ms downinter 1s fall 2 " in said
    assert "timeout check 2s\n" in said


def test_haproxy_gives_up_a_node_that_says_nothing(nodes: Nodes, tmp_path: Path) -> None:
    """As from a machine that is gone: its listeners are cut while it hangs, go on elsewhere, and nobody comes."""
    nodes.announce("s", make_too_long_audio())
    proxy = HAProxy(tmp_path / "proxy", nodes.ports, gives_up=True)
    hung = nodes.all[0].pids()
    try:
        with Audience() as audience:
            listeners = audience.join(
                *(
                    LightListener(proxy.port, "s", make_too_long_audio(), transport)
                    for transport in (SOCKET_IO, POLLING, PLAIN)
                    for _ in range(2 * COUNT)
                )
            )
            audience.wait_until(lambda listener: listener.hears, PATIENCE_SECONDS)
            on_it = nodes.listeners()[0]
            assert on_it > 0
            for pid in hung:
                os.kill(pid, signal.SIGSTOP)
            eventually(lambda: sum(listener.breaks > 0 for listener in listeners) >= on_it)
            places = {listener: listener.offset for listener in listeners}
            audience.wait_until(lambda listener: listener.offset > places[listener], PATIENCE_SECONDS)
            eventually(lambda: "Server nodes/asf1 is DOWN" in proxy.log)
            _come_by_every_door(proxy)
        assert sum(listener.wrong for listener in listeners) == 0
    finally:
        for pid in hung:
            os.kill(pid, signal.SIGCONT)
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
    assert answer.content == make_too_long_audio()[:100]


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
        assert listener.audio == make_too_long_audio()[: len(listener.audio)]


def _statuses(listener: WireListener) -> list[str]:
    return [data["status"] for name, data in listener.events if name == "stream_status"]
