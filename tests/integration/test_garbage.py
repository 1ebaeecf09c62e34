"""Ended connections leave no cycles of references: the collector does not visit again what has survived for long."""

import json
from collections.abc import Callable

import pytest
import requests

from tests.support.audience import TRANSPORTS, Audience, LightListener
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer, audio_of
from tests.support.processes import ServerProcess, eventually

COUNT = 20
AUDIO = audio_of(20_000)

TYPES = {
    "AudioNamespace",
    "BoundedHttpProtocol",
    "DirectWebSocket",
    "EngineIoTransport",
    "EventletConnection",
    "GreenSocket",
    "Input",
    "ListenerSession",
    "PacketQueue",
    "PlainWebSocket",
    "PlaybackBody",
    "Socket",
    "socket",
}
"""What a connection consists of."""


@pytest.fixture
def server(start_server: StartServer) -> ServerProcess:
    """Return a server that tells of its garbage."""
    return start_server(observed=True)


def listen(server: ServerProcess, transport: str) -> None:
    """Let listeners hear a stream to its end, and disconnect."""
    server.announce("s", AUDIO)
    with Audience() as audience:
        audience.join(*(LightListener(server.port, "s", AUDIO, transport) for _ in range(COUNT)))
        audience.wait_for_all()
    assert all(one.ended for one in audience.listeners)


def post(server: ServerProcess) -> None:
    """Send bodies on connections that are kept."""
    for _ in range(COUNT):
        with requests.Session() as session:
            for _ in range(2):
                body = {"client_id": "c", "event_name": "n", "data": None}
                url = f"{server.url}/asf/internal/send_ui_update"
                assert session.post(url, json=body, timeout=PATIENCE_SECONDS).ok


def garbage(server: ServerProcess) -> dict[str, int]:
    """Return of what types there was garbage that only a collector frees, and how much."""
    text = requests.get(f"{server.url}/tests/garbage", timeout=PATIENCE_SECONDS).text
    return {name: count for name, count in json.loads(text).items() if name in TYPES}


@pytest.mark.parametrize("transport", [*TRANSPORTS, "requests"])
def test_an_ended_connection_is_freed_without_the_collector(server: ServerProcess, transport: str) -> None:
    """Each kind of connection."""
    use: Callable[[], None] = (lambda: post(server)) if transport == "requests" else lambda: listen(server, transport)
    idle = server.sockets()
    use()  # What is made once for all may be part of a cycle.
    eventually(lambda: server.sockets() <= idle)
    garbage(server)
    use()
    eventually(lambda: server.sockets() <= idle)
    assert garbage(server) == {}
