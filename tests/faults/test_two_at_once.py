"""A second fault at the same time as the first: each holds up only those whom it concerns."""

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.integration.test_event_loop import send_batch
from tests.support.audience import (
    LONG,
    LONG_AUDIO_BYTES,
    PLAIN,
    SOCKET_IO,
    Audience,
    LightListener,
    longest_gap,
    lost_bytes,
    one_of_each,
)
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import join
from tests.support.fixtures import StartServer, audio_of
from tests.support.fuse_disk import FuseDisk
from tests.support.ledger import Ledger
from tests.support.processes import ServerProcess, eventually
from tests.support.redis_server import RedisServer

FAR_AUDIO = audio_of(400_001, seed=3)
ASKERS = 6
"""So many ask for audio on the disk while it hangs: more than it has worker threads."""

PATIENT = LONG | {"TEST_PONG_SECONDS": "60", "ASF_SLOW_LISTENER_SECONDS": "60"}
"""Hundreds of listeners in one process are late on a busy machine; what is tried is not whether they are dropped."""

UPDATES = 1000
TEXT = "x" * 900


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FuseDisk]:
    """Return a disk that answers at the end, so that the server stops."""
    disk = FuseDisk(tmp_path)
    yield disk
    disk.recover()


@pytest.mark.long
def test_a_disk_hangs_while_redis_is_restarted(
    disk: FuseDisk,
    persistent_redis: RedisServer,
    tmp_path: Path,
    start_server: StartServer,
    ledger: Ledger,
    soak: bool,
) -> None:
    """Listeners of another root hear on, over each transport; those of the disk hear the rest afterwards."""
    roots = f"{tmp_path / 'audio'}:{disk.mount_point}"
    settings = PATIENT | {"ASF_AUDIO_ROOTS": roots, "ASF_REDIS_URL": persistent_redis.url}
    server = start_server(settings, observed=True, wrapper=disk.wrapper)
    audio = audio_of(LONG_AUDIO_BYTES)
    server.announce("local", audio)
    (disk.source / "far.mp3").write_bytes(FAR_AUDIO)
    server.notify("far", str(disk.mount_point / "far.mp3")).raise_for_status()
    tried = lost = 0
    with Audience() as audience:
        audience.join(*one_of_each(server.port, "local", audio, each=2))
        audience.wait_until(lambda listener: listener.hears)
        for _ in range(5 if soak else 1):
            lost += _hang_and_restart(server, disk, persistent_redis, audience)
            tried += 1
        audience.leap()
        audience.wait_for_all()
    assert broken(audience.listeners) == []
    lost += lost_bytes(audience.listeners)
    assert lost == 0
    ledger.note(
        "a file system that hangs, and Redis killed and restarted meanwhile",
        tried=tried,
        unit="times both",
        must_hold="Listeners of another root receive every byte without a break, over each transport; /asf/health "
        "answers; listeners of that file system receive the rest when it answers; UI updates are accepted when Redis "
        "is back.",
        lost=lost,
        measured=f"longest gap of the others {longest_gap(audience.listeners):.2f} s",
    )


def _hang_and_restart(server: ServerProcess, disk: FuseDisk, redis: RedisServer, audience: Audience) -> int:
    """Do both, and return how many bytes a listener of the disk has missed."""
    with closing(join(server, "far")) as far:
        far.receive_until_bytes(1)
        disk.hang()
        url = server.stream_url("far")
        askers = [
            threading.Thread(target=requests.get, args=[url], kwargs={"timeout": PATIENCE_SECONDS}, daemon=True)
            for _ in range(ASKERS)
        ]
        for asker in askers:
            asker.start()
        audience.hear_on()
        redis.kill()
        audience.hear_on()
        assert requests.get(f"{server.url}/asf/health", timeout=PATIENCE_SECONDS).status_code == 200
        assert server.send_ui_update("c", "n", 1).json()["error_code"] == "ASF_SOCKETIO_EMIT_FAILED"
        redis.start()
        eventually(lambda: server.send_ui_update("c", "n", 2).status_code == 200)
        audience.hear_on()
        disk.recover()
        for asker in askers:
            asker.join(PATIENCE_SECONDS)
        far.receive_until("end_of_stream")
        return sum(one != other for one, other in zip(far.audio, FAR_AUDIO, strict=True))


def broken(listeners: Iterable[LightListener]) -> list[object]:
    """Return what is known of listeners whose connections broke, or that did not hear the end."""
    return [(one.transport, one.breaks, one.pieces, one.error) for one in listeners if one.breaks or not one.ended]


class Tab(LightListener):
    """A subscriber to the UI updates of one client. `pieces` counts the updates, `wrong` those that were others."""

    def __init__(self, port: int) -> None:
        super().__init__(port, "", b"", SOCKET_IO, returns=False)
        self.subscribed = False

    def _answers_to(self, packet: str) -> Iterable[str]:
        if packet == "2":
            return ["3"]
        if packet.startswith("0"):
            return ["40/ui_updates,"]
        if packet.startswith("40/ui_updates,"):
            return ['42/ui_updates,["subscribe_to_ui_updates",{"client_id":"c"}]']
        name, *payload = json.loads(packet.removeprefix("42/ui_updates,"))
        if name == "subscribed_ui_updates":
            self.subscribed = True
        elif name == "n":
            self.wrong += payload != [[self.pieces, TEXT]]
            self.pieces += 1
            self.ended = self.pieces == UPDATES
        return []


@pytest.mark.long
def test_a_batch_is_delivered_while_many_join(start_server: StartServer, ledger: Ledger, soak: bool) -> None:
    """To many connections of one client: each gets all of it in order; those who join hear, and so do the others."""
    connections, newcomers = (100, 1000) if soak else (20, 200)
    server = start_server(PATIENT, observed=True)
    audio = audio_of(LONG_AUDIO_BYTES)
    server.announce("s", audio)
    results: list[dict[str, Any]] = []
    with Audience() as audience:
        others = audience.join(*one_of_each(server.port, "s", audio, each=2))
        audience.wait_until(lambda listener: listener.hears)
        tabs = [Tab(server.port) for _ in range(connections)]
        audience.join(*tabs)
        eventually(lambda: all(tab.subscribed for tab in tabs))
        sender = threading.Thread(target=lambda: results.extend(send_batch(server, "c", range(UPDATES), TEXT)))
        sender.start()
        transports = [(SOCKET_IO, PLAIN)[number % 2] for number in range(newcomers)]
        audience.join(*(LightListener(server.port, "s", audio, transport) for transport in transports))
        audience.wait_until(lambda listener: listener.hears or listener.ended)
        sender.join()
        audience.hear_on(others)
        audience.leap()
        audience.wait_for_all()
    assert [one["subscribers"] for one in results] == [connections] * UPDATES
    listeners = audience.listeners
    assert broken(listeners) == []
    lost = lost_bytes(listeners)
    assert lost == 0
    ledger.note(
        f"{UPDATES:,} UI updates of 900 bytes to {connections} connections while {newcomers:,} listeners join",
        tried=1,
        unit="batch",
        must_hold="Every connection receives every update once and in order; who joins and who listened before "
        "receives every byte, over each transport.",
        lost=lost,
        measured=f"longest gap of the others {longest_gap(others):.2f} s",
    )
