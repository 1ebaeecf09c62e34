"""A node is killed under its listeners, behind nginx and behind HAProxy: they go on at another node."""

import time
from pathlib import Path

import pytest

from tests.support.audience import HTTP, TRANSPORTS, Audience, LightListener, longest_gap, lost_bytes
from tests.support.fixtures import audio_of
from tests.support.ledger import Ledger
from tests.support.nodes import COUNT, Nodes
from tests.support.proxies import HAProxy, Nginx, Proxy

ON_ONE_NODE = 200
LISTENERS, HTTP_LISTENERS = 70, 5
"""For each node, of each of the transports with a session. Some over HTTP listen beside them; what the kernels between keep of theirs
hides a kill for a while."""

BYTES_PER_SECOND = 16_000  # 128 kbit/s
HTTP_BYTES_PER_SECOND = 40_000
AUDIO = audio_of(24 * BYTES_PER_SECOND)
SETTINGS = {"ASF_STREAM_SLEEP_INTERVAL": "0.256", "ASF_DRAIN_SECONDS": "0"}
BACK_SECONDS = 2.0


@pytest.mark.parametrize("kind", [Nginx, HAProxy])
def test_listeners_of_a_killed_node_go_on_at_another(tmp_path: Path, ledger: Ledger, kind: type[Proxy]) -> None:
    """Two hundred on it, on every transport, each at its byte."""
    nodes = Nodes(tmp_path, SETTINGS)
    proxy = kind(tmp_path / "proxy", nodes.ports)
    try:
        nodes.announce("s", AUDIO)
        with Audience() as audience:
            listeners = audience.join(
                *[
                    LightListener(proxy.port, "s", AUDIO, transport, http_bytes_per_second=HTTP_BYTES_PER_SECOND)
                    for transport in TRANSPORTS
                    for _ in range(COUNT * (HTTP_LISTENERS if transport == HTTP else LISTENERS))
                ]
            )
            audience.wait_until(lambda listener: listener.hears)
            counts = nodes.listeners()
            number = counts.index(max(counts))
            assert counts[number] >= ON_ONE_NODE
            for listener in listeners:
                listener.longest_gap = 0.0
            killed_at = time.monotonic()
            nodes.all[number].kill()
            audience.wait_until(
                lambda listener: listener.ended or (listener.heard_at or 0) > killed_at + BACK_SECONDS
            )
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
        f"kill -9 of one of {COUNT} nodes behind {kind.program}",
        tried=len(cut),
        unit="listeners on it",
        must_hold=f"Over Socket.IO, polling, plain WebSocket and HTTP, every listener goes on at another node in under "
        f"{BACK_SECONDS:g} s, at its offset with its epoch or ETag, and hears every byte once.",
        lost=lost_bytes(listeners),
        measured=f"all heard again after {gap:.2f} s",
    )
