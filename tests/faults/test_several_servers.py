"""Three servers, Redis, Swift and HAProxy: servers and Redis are killed, and nobody misses anything."""

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Self

import pytest
import requests

from asf import client
from tests.support.audience import PLAIN, POLLING, SOCKET_IO, Audience, LightListener, longest_gap, lost_bytes
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.bursts import Backend, Watcher
from tests.support.fixtures import audio_of
from tests.support.ledger import Ledger
from tests.support.nodes import COUNT, TOKEN, Nodes
from tests.support.processes import eventually
from tests.support.proxies import HAProxy
from tests.support.swift_server import SwiftServer

LISTENERS = 600
SHORT_LISTENERS = 240
"""Those of the short variant: the machine has other tests to run."""

LISTENERS_PER_ADDRESS = 100
"""HAProxy bounds what one address may have."""

TRANSPORTS = (SOCKET_IO, POLLING, PLAIN)
"""Over HTTP audio that is being made has no length, and there is no coming back to it at an offset."""

OBJECT_LISTENERS = 60
SUBSCRIBERS = 12
BYTES_PER_SECOND = 16_000
"""What a voice agent makes: 128 kbit/s."""

CHUNK_BYTES = 16_384
CHUNK_SECONDS = 0.4
OBJECT_BYTES_PER_SECOND = 40_960
"""The pace, which is faster."""

MADE_SECONDS = 600
"""Audio that there is for the voice agent to write, at its pace: it ends when the test says so."""

UPDATES_WITHOUT_REDIS = 3
"""How many updates each backend tries while Redis is away."""


@pytest.fixture
def nodes(tmp_path: Path, swift: SwiftServer) -> Iterator[Nodes]:
    """Return three servers, on an object store and on a Redis that writes down what it does."""
    settings = {
        "ASF_UI_HISTORY_SIZE": "100000",
        "ASF_STALL_SECONDS": "60",
        "ASF_CHUNK_SIZE": str(CHUNK_BYTES),
        "ASF_STREAM_SLEEP_INTERVAL": str(CHUNK_SECONDS),
    }
    nodes = Nodes(tmp_path, swift.environment | settings, persistent=True)
    yield nodes
    nodes.stop()


@pytest.fixture
def proxy(nodes: Nodes, tmp_path: Path) -> Iterator[HAProxy]:
    """Return HAProxy in front of them."""
    proxy = HAProxy(tmp_path / "proxy", nodes.ports)
    yield proxy
    proxy.stop()


class VoiceAgent:
    """Writes audio to a file at its pace, and announces it: first that it is made, in the end that it is whole.

    `written` is how many bytes it has written.
    """

    def __init__(self, proxy: HAProxy, path: Path, audio: bytes) -> None:
        self._proxy = proxy
        self._path = path
        self._audio = audio
        self.written = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Self:
        self._path.touch()
        self._announce("generating")
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.finish()

    def finish(self) -> None:
        """Write no more, and announce that it is whole."""
        self._ending.set()
        self._thread.join(2 * PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def _write(self) -> None:
        start = time.monotonic()
        with self._path.open("ab") as file:
            while not self._ending.wait(0.1):  # The rhythm of its writing.
                due = int((time.monotonic() - start) * BYTES_PER_SECOND)
                self.written += file.write(self._audio[self.written : due])
                file.flush()
        self._announce("complete")

    def _announce(self, state: client.State) -> None:
        with client.BackendClient(self._proxy.internal_url, token=TOKEN) as backend:
            eventually(lambda: self._is_announced(backend, state))

    def _is_announced(self, backend: client.BackendClient, state: client.State) -> bool:
        try:
            backend.notify_new_audio("s", str(self._path), state)
        except client.AsfClientError:
            return False
        return True


@pytest.mark.long
def test_servers_and_redis_are_killed_under_an_audience(
    nodes: Nodes, proxy: HAProxy, swift: SwiftServer, ledger: Ledger, soak: bool
) -> None:
    """Of a stream that is being made, and of an object; and under subscribers to UI updates."""
    seconds, least_kills, number_of_listeners = (120.0, 10, LISTENERS) if soak else (0.0, 3, SHORT_LISTENERS)
    audio = audio_of(MADE_SECONDS * BYTES_PER_SECOND)
    audio_in_store = audio_of(MADE_SECONDS * OBJECT_BYTES_PER_SECOND, seed=2)
    chance = random.Random(7)
    server_kills = redis_kills = 0
    with (
        VoiceAgent(proxy, nodes.all[0].audio_root / "s.mp3", audio) as agent,
        Audience() as audience,
        ExitStack() as running,
    ):
        # Subscribers come first: one that cannot subscribe at all, as servers are too busy with so many, is told so.
        watchers = [Watcher(proxy.url, f"client-{number}") for number in range(SUBSCRIBERS)]
        eventually(lambda: all(watcher.items for watcher in watchers))
        for first in range(0, number_of_listeners, LISTENERS_PER_ADDRESS):
            numbers = range(first, min(first + LISTENERS_PER_ADDRESS, number_of_listeners))
            audience.join(*(_listener(proxy, number, "s", audio) for number in numbers))
            audience.wait_until(lambda listener: listener.hears)
        nodes.all[0].notify("object", swift.put("object.mp3", audio_in_store)).raise_for_status()
        of_object = audience.join(
            *(_listener(proxy, number, "object", audio_in_store) for number in range(OBJECT_LISTENERS))
        )
        listeners = audience.listeners
        audience.wait_until(lambda listener: listener.hears)
        backends = [Backend(_updating(proxy, watcher.client_id)) for watcher in watchers]
        for backend in backends:
            running.enter_context(backend)
        end = time.monotonic() + seconds
        while time.monotonic() < end or server_kills + redis_kills < least_kills:
            if server_kills > 2 * redis_kills:
                nodes.redis.kill()
                _wait_for_attempts(backends)
                nodes.redis.start()
                redis_kills += 1
            else:
                number = chance.randrange(COUNT)
                nodes.all[number].kill()
                nodes.start_again(number)
                server_kills += 1
            # Everybody is back, and hears on.
            audience.hear_on()
            for watcher, backend in zip(watchers, backends, strict=True):
                goal = max(backend.answered, default=0) + 1
                eventually(lambda: watcher.latest >= goal)  # noqa: B023 - used at once
        agent.finish()
        made = audio[: agent.written]
        for listener in listeners:
            if listener not in of_object:
                listener.audio = made
        running.close()
        audience.leap(of_object, left=OBJECT_BYTES_PER_SECOND)
        audience.wait_for_all()
    for watcher, backend in zip(watchers, backends, strict=True):
        eventually(lambda: watcher.latest >= max(backend.answered))  # noqa: B023 - used at once
        watcher.close(nodes.all[0])
    assert [listener.error for listener in listeners if listener.error] == []
    assert all(listener.ended for listener in listeners)
    assert redis_kills >= 1
    lost_updates = sum(watcher.lost(backend.answered) for watcher, backend in zip(watchers, backends, strict=True))
    assert [_gaps(watcher) for watcher in watchers] == [0] * len(watchers)
    assert lost_updates + lost_bytes(listeners) == 0
    breaks = sum(listener.breaks for listener in listeners)
    ledger.note(
        f"Servers and Redis killed and restarted, behind HAProxy, under {number_of_listeners} listeners of one "
        f"stream that is being generated, {OBJECT_LISTENERS} of an object in Swift and {SUBSCRIBERS} subscribers to "
        f"UI updates",
        tried=server_kills + redis_kills,
        unit="kills",
        must_hold="Every listener receives the identical bytes, every subscriber its updates without a gap or a "
        "repeat, including all that were answered with 200.",
        lost=lost_updates + lost_bytes(listeners),
        measured=f"{server_kills} kills of a server, {redis_kills} of Redis; {breaks} connections "
        f"broke; longest gap {longest_gap(listeners):.1f} s; "
        f"{sum(len(backend.answered) for backend in backends)} updates answered with 200, "
        f"{sum(len(backend.failed) for backend in backends)} with an error",
    )


def _listener(proxy: HAProxy, number: int, stream_id: str, audio: bytes) -> LightListener:
    address = f"127.0.1.{1 + number // LISTENERS_PER_ADDRESS}"

    def source() -> socket.socket:
        connection = socket.socket()
        connection.bind((address, 0))
        return connection

    transport = TRANSPORTS[number % len(TRANSPORTS)]
    return LightListener(
        proxy.port, stream_id, audio, transport, patient=True, source=source, buffer_bytes=CHUNK_BYTES
    )


def _updating(proxy: HAProxy, client_id: str) -> Callable[[int], bool]:
    """Return what sends an update with a number, and tells whether it was answered with 200."""

    def update(number: int) -> bool:
        answer = requests.post(
            f"{proxy.internal_url}/asf/internal/send_ui_update",
            json={"client_id": client_id, "event_name": "n", "data": number},
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=PATIENCE_SECONDS,
        )
        time.sleep(0.05)
        return answer.status_code == 200

    return update


def _wait_for_attempts(backends: Sequence[Backend]) -> None:
    """Wait until each has tried `UPDATES_WITHOUT_REDIS` more, and failed or not."""

    def attempts(backend: Backend) -> int:
        return len(backend.answered) + len(backend.failed)

    goals = [(backend, attempts(backend) + UPDATES_WITHOUT_REDIS) for backend in backends]
    eventually(lambda: all(attempts(backend) >= goal for backend, goal in goals))


def _gaps(watcher: Watcher) -> int:
    """Return how often the updates that came do not follow each other, or it was told so."""
    updates = [item for item in watcher.items if isinstance(item, client.Update)]
    steps = sum((one.epoch, one.seq + 1) != (next_one.epoch, next_one.seq) for one, next_one in pairwise(updates))
    return steps + watcher.told_missed
