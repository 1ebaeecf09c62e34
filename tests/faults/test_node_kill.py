"""A node is killed under its listeners, behind nginx and behind HAProxy: they go on at another node."""

import time
from pathlib import Path

import pytest

from tests.support.audience import HTTP, PLAIN, POLLING, SOCKET_IO, Audience, LightListener, longest_gap, lost_bytes
from tests.support.fixtures import audio_of
from tests.support.ledger import Ledger
from tests.support.nodes import COUNT, Nodes
from tests.support.proxies import HAProxy, Nginx, Proxy

ON_ONE_NODE = 200
LISTENERS = 70
"""For each node, of each transport with sessions. Some over HTTP listen beside them; what the kernels in between keep
of an answer hides a kill from them for a while."""

STEP = 15
SESSIONS = (SOCKET_IO, POLLING, PLAIN)
BYTES_PER_SECOND = 16_000  # 128 kbit/s
HTTP_BYTES_PER_SECOND = 40_000
AUDIO = audio_of(24 * BYTES_PER_SECOND)
SETTINGS = {"ASF_STREAM_SLEEP_INTERVAL": "0.256", "ASF_DRAIN_SECONDS": "0"}
BACK_SECONDS = 2.0


@pytest.mark.parametrize("kind", [Nginx, HAProxy])
def test_listeners_of_a_killed_node_go_on_at_another(tmp_path: Path, ledger: Ledger, kind: type[Proxy]) -> None:
    """Two hundred on it, on every transport, each at its byte."""
    nodes = Nodes(tmp_path, SETTINGS)
    proxy = kind(tmp_path / "proxy", nodes.ports, most=10_000)
    try:
        nodes.announce("s", AUDIO)
        with Audience() as audience:
            for _ in range(COUNT * LISTENERS // STEP):
                audience.join(*(_listener(proxy, transport) for transport in SESSIONS for _ in range(STEP)))
                audience.join(_listener(proxy, HTTP))
                audience.wait_until(lambda listener: listener.hears)
            listeners = audience.listeners
            counts = nodes.listeners()
            number = counts.index(max(counts))
            assert counts[number] >= ON_ONE_NODE
            for listener in listeners:
                listener.longest_gap = 0.0
            nodes.all[number].kill()
            later = time.monotonic() + BACK_SECONDS
            audience.wait_until(lambda one: one.ended or (one.heard_at or 0.0) > later)
            cut = [listener for listener in listeners if listener.breaks]
            gap = longest_gap(cut)
            audience.wait_for_all()
        assert [listener.error for listener in listeners if listener.error] == []
        assert len(cut) >= ON_ONE_NODE
        assert lost_bytes(listeners) == 0
        assert gap < BACK_SECONDS
    finally:
        proxy.stop()
        nodes.stop()
    ledger.note(
        f"kill -9 of one of {COUNT} servers behind {kind.program}",
        tried=len(cut),
        unit="listeners on it",
        must_hold="Over Socket.IO, polling, plain WebSocket and HTTP, every listener goes on at another one in under "
        f"{BACK_SECONDS:g} s, at its offset with its epoch or ETag, and hears every byte once.",
        lost=lost_bytes(listeners),
        measured=f"all heard again after {gap:.2f} s",
    )


def _listener(proxy: Proxy, transport: str) -> LightListener:
    return LightListener(proxy.port, "s", AUDIO, transport, http_bytes_per_second=HTTP_BYTES_PER_SECOND)
