"""A node is killed under its listeners, behind nginx and behind HAProxy: they go on at another node."""

import time
from pathlib import Path

import pytest

from tests.support.audience import HTTP, PLAIN, POLLING, SOCKET_IO, Audience, LightListener, longest_gap, lost_bytes
from tests.support.fixtures import audio_of
from tests.support.ledger import Ledger
from tests.support.nodes import COUNT, Nodes
from tests.support.processes import eventually
from tests.support.proxies import HAProxy, Nginx, Proxy

ON_ONE_NODE = 200
LISTENERS = 70
"""For each node, of each transport with sessions. Some over HTTP listen beside them; what the kernels in between keep
of an answer hides a kill from them for a while."""

STEP = 15
SESSIONS = (SOCKET_IO, POLLING, PLAIN)
BYTES_PER_SECOND = 16_000  # 128 kbit/s
HTTP_BYTES_PER_SECOND = 40_000

LEFT_BYTES = 2 * BYTES_PER_SECOND
SETTINGS = {"ASF_STREAM_SLEEP_INTERVAL": "0.256", "ASF_DRAIN_SECONDS": "0"}


def make_audio() -> bytes:
    """Return what is heard."""
    return audio_of(240 * BYTES_PER_SECOND)


@pytest.mark.long
@pytest.mark.parametrize("kind", [pytest.param(Nginx, marks=pytest.mark.soak), HAProxy])
def test_listeners_of_a_killed_node_go_on_at_another(tmp_path: Path, ledger: Ledger, kind: type[Proxy]) -> None:
    """Two hundred on it, on every transport, each at its byte, while it stays dead."""
    cut, gap = _kill(tmp_path, kind)
    ledger.note(
        f"kill -9 of one of {COUNT} servers behind {kind.program}",
        tried=cut,
        unit="listeners on it",
        must_hold="Over Socket.IO, polling, plain WebSocket and HTTP, every listener resumes on another one, at its "
        "offset with its epoch or ETag, and receives every byte once, while the killed one is dead.",
        lost=0,
        measured=f"all resumed after {gap:.2f} s",
    )


def _kill(directory: Path, kind: type[Proxy]) -> tuple[int, float]:
    """Kill a node under its listeners. Returns how many these were, and after how many seconds all heard again."""
    nodes = Nodes(directory, SETTINGS)
    proxy = kind(directory / "proxy", nodes.ports, most=10_000)
    try:
        nodes.announce("s", make_audio())
        with Audience() as audience:
            for _ in range(COUNT * LISTENERS // STEP):
                audience.join(*(_listener(proxy, transport) for transport in SESSIONS for _ in range(STEP)))
                audience.join(_listener(proxy, HTTP))
                audience.wait_until(lambda listener: listener.hears)
            counts = nodes.listeners()
            number = counts.index(max(counts))
            assert counts[number] >= ON_ONE_NODE
            nodes.all[number].kill()
            killed_at = time.monotonic()
            for listener in audience.listeners:
                listener.longest_gap, listener.heard_at = 0.0, killed_at
            audience.hear_on()
            # Over HTTP it may take minutes until what the kernels keep is heard.
            eventually(lambda: sum(one.breaks > 0 for one in audience.listeners) >= ON_ONE_NODE)
            cut = [listener for listener in audience.listeners if listener.breaks]
            audience.hear_on(cut)
            gap = longest_gap(cut)
            assert nodes.all[number].process.poll() is not None
            _leap_one_after_the_other(audience)
            audience.wait_for_all()
        assert [listener.error for listener in audience.listeners if listener.error] == []
        assert len(cut) >= ON_ONE_NODE
        assert lost_bytes(audience.listeners) == 0
    finally:
        proxy.stop()
        nodes.stop()
    return len(cut), gap


def _leap_one_after_the_other(audience: Audience) -> None:
    """Let all go on near the end, but not all at once: two servers cannot take so many in one moment."""
    for first in range(0, len(audience.listeners), STEP):
        some = audience.listeners[first : first + STEP]
        pieces = [(listener, listener.pieces) for listener in some]
        audience.leap(some, left=LEFT_BYTES)
        eventually(lambda: all(one.ended or one.pieces > before for one, before in pieces))  # noqa: B023


def _listener(proxy: Proxy, transport: str) -> LightListener:
    return LightListener(proxy.port, "s", make_audio(), transport, http_bytes_per_second=HTTP_BYTES_PER_SECOND)
