"""Listeners and a subscriber that behave, while others do not, and notice every byte and update that they miss."""

import itertools
import json
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import requests
import websocket

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener
from tests.support.fixtures import audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess

STREAM = "bystanders"
AUDIO = audio_of(150_001, seed=7)
CLIENT = "bystander"
UI_NAMESPACE = "/ui_updates"
UPDATE_SECONDS = 0.05
"""Pause between two updates."""

HEALTH_SECONDS = 0.25
"""Pause between two questions for the server's health."""

LISTENERS_EACH = 3

ENOUGH = 5
"""How many streams and updates must come beside what is done."""


class Bystanders:
    """Three listeners at each door, in turn joining and hearing a whole stream, and a subscriber to UI updates.

    `heard` counts the bytes that were heard as they should be, `lost` those that were not; `updates` and
    `updates_lost` the same of UI updates. `failures` says what went wrong. `longest_health` is the longest time that
    /asf/health took to answer, in seconds in which the server was at work: how long others keep it from its work, the
    machine says.
    """

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self.heard = self.lost = self.joins = 0
        self.updates = self.updates_lost = 0
        self.longest_health = 0.0
        self.failures: list[str] = []
        server.announce(STREAM, AUDIO)
        numbers = random.Random(3)
        doors: list[Callable[[], bytes]] = [
            lambda: _hear_over_socketio(server, polling=False),
            lambda: _hear_over_socketio(server, polling=True),
            lambda: _hear_over_websocket(server),
            lambda: _hear_over_http(server, numbers.randrange(len(AUDIO))),
        ]
        self._threads = [
            threading.Thread(target=self._listen, args=(door,), daemon=True)
            for door in doors
            for _ in range(LISTENERS_EACH)
        ]
        self._threads += [threading.Thread(target=one, daemon=True) for one in (self._watch, self._ask)]
        for thread in self._threads:
            thread.start()

    @property
    def have_enough(self) -> bool:
        """Whether so much came that it means something that nothing was lost."""
        return self.joins >= ENOUGH and self.updates >= ENOUGH

    def end(self) -> None:
        """Let everybody hear what is under way to its end."""
        self._ending.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE_SECONDS)
            assert not thread.is_alive(), "A bystander waits for ever"

    def _listen(self, hear: Callable[[], bytes]) -> None:
        while not self._ending.is_set():
            try:
                heard = hear()
            except Exception as error:  # noqa: BLE001 - whatever it is, the listener did not get its audio
                self._fail(f"{type(error).__name__}: {error}")
                heard = b""
            right = _common_prefix(heard, AUDIO)
            with self._lock:
                self.joins += 1
                self.heard += right
                self.lost += max(len(heard), len(AUDIO)) - right

    def _watch(self) -> None:
        """Publish updates, one after the other, and see each arrive, in its turn."""
        try:
            subscriber = _subscribe(self._server)
        except Exception as error:  # noqa: BLE001
            self._fail(f"subscribing: {type(error).__name__}: {error}")
            self.updates_lost += 1
            return
        for number in itertools.count(1):
            if self._ending.is_set():
                break
            try:
                self._server.send_ui_update(CLIENT, "counted", number).raise_for_status()
                assert _next_event(subscriber) == ["counted", number]
                self.updates += 1
            except Exception as error:  # noqa: BLE001
                self._fail(f"update {number}: {type(error).__name__}: {error}")
                self.updates_lost += 1
                break
            self._ending.wait(UPDATE_SECONDS)
        subscriber.shutdown()

    def _ask(self) -> None:
        while not self._ending.is_set():
            begun = _cpu_seconds(self._server)
            try:
                answer = requests.get(f"{self._server.url}/asf/health", timeout=PATIENCE_SECONDS)
                assert answer.json()["status"] == "ok"
            except Exception as error:  # noqa: BLE001
                self._fail(f"health: {type(error).__name__}: {error}")
            self.longest_health = max(self.longest_health, _cpu_seconds(self._server) - begun)
            self._ending.wait(HEALTH_SECONDS)

    def _fail(self, text: str) -> None:
        with self._lock:
            self.failures.append(text)


def _cpu_seconds(server: ServerProcess) -> float:
    """Return how long the server has been at work (proc_pid_stat(5))."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _hear_over_socketio(server: ServerProcess, *, polling: bool) -> bytes:
    listener = WireListener(server.url, polling=polling)
    try:
        listener.emit("join_stream", {"stream_id": STREAM})
        listener.receive_until("end_of_stream")
    finally:
        listener.close()
    return bytes(listener.audio)


def _hear_over_websocket(server: ServerProcess) -> bytes:
    listener = PlainListener(server.url, STREAM)
    try:
        assert listener.receive_to_the_end() == 1000
    finally:
        listener.close()
    return bytes(listener.audio)


def _hear_over_http(server: ServerProcess, cut: int) -> bytes:
    """Return the audio, fetched in two ranges."""
    parts = []
    for wanted in (f"bytes=0-{cut}", f"bytes={cut + 1}-"):
        answer = requests.get(server.stream_url(STREAM), headers={"Range": wanted}, timeout=PATIENCE_SECONDS)
        answer.raise_for_status()
        parts.append(answer.content)
    return b"".join(parts)


def _subscribe(server: ServerProcess) -> websocket.WebSocket:
    url = f"{server.url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket"
    subscriber = websocket.create_connection(url, timeout=PATIENCE_SECONDS)
    subscriber.send(f"40{UI_NAMESPACE},")
    subscriber.send(f"42{UI_NAMESPACE},{json.dumps(['subscribe_to_ui_updates', {'client_id': CLIENT}])}")
    while _next_event(subscriber)[0] != "subscribed_ui_updates":
        pass
    return subscriber


def _next_event(subscriber: websocket.WebSocket) -> list[object]:
    """Return name and payload of the next event."""
    while True:
        packet = str(subscriber.recv())
        if packet == "2":
            subscriber.send("3")
        if packet.startswith(f"42{UI_NAMESPACE},"):
            event: list[object] = json.loads(packet.removeprefix(f"42{UI_NAMESPACE},"))
            return event


def _common_prefix(one: bytes, other: bytes) -> int:
    if one == other:
        return len(one)
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
