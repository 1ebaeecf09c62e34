"""`kill -9`, in mid-stream and in the middle of announcements."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import requests

from tests.support.audience import LONG, TRANSPORTS, Audience, LightListener, longest_gap, lost_bytes
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.bursts import Backend, Watcher, announcing
from tests.support.fixtures import audio_of
from tests.support.ledger import Ledger, times
from tests.support.mortal_server import MortalServer
from tests.support.processes import eventually

BYTES_BETWEEN_KILLS = 50_000
AUDIO_BYTES = 20_000_000
HTTP_BYTES_PER_SECOND = 200_000
LISTENERS_EACH = 10


def test_listeners_go_on_where_they_were(tmp_path: Path, ledger: Ledger, soak: bool) -> None:
    """On every transport, with offset and epoch; a range with its ETag over HTTP."""
    kills = 60 if soak else 2
    audio = audio_of(AUDIO_BYTES)
    listeners: list[LightListener] = []
    with MortalServer(tmp_path, LONG) as server:
        server.process.announce("s", audio)
        while server.kills < kills:
            listeners += _listen_through_kills(server, audio, kills)
    assert lost_bytes(listeners) == 0
    ledger.note(
        "kill -9 in mid-stream, restart on the same port and database",
        tried=kills,
        unit=f"kills under {LISTENERS_EACH * len(TRANSPORTS)} listeners",
        must_hold="Over Socket.IO, polling, plain WebSocket and HTTP, every listener resumes at its offset, with its "
        "epoch or ETag, and receives every byte once.",
        lost=lost_bytes(listeners),
        measured=f"longest gap {longest_gap(listeners):.1f} s, of which the restart took up to "
        f"{server.longest_restart:.1f} s",
    )


def _listen_through_kills(server: MortalServer, audio: bytes, kills: int) -> Sequence[LightListener]:
    """Let listeners go through so many kills in all, or as many as their audio has room for. Returns them."""
    earlier = server.kills
    with Audience() as audience:
        listeners = audience.join(
            *[
                LightListener(server.process.port, "s", audio, transport, http_bytes_per_second=HTTP_BYTES_PER_SECOND)
                for transport in TRANSPORTS
                for _ in range(LISTENERS_EACH)
            ]
        )
        # None may be at its end when the last one is where it should be.
        while server.kills < kills and all(listener.offset < len(audio) // 2 for listener in listeners):
            places = {listener: listener.offset + BYTES_BETWEEN_KILLS for listener in listeners}
            audience.wait_until(lambda listener: listener.offset >= places[listener])  # noqa: B023 - used at once
            assert not any(listener.ended for listener in listeners)
            server.kill_and_restart()
            # One over HTTP reads on for a while what its kernel has of the server that was killed.
            audience.wait_until(lambda listener: listener.breaks >= server.kills - earlier)
        audience.hear_on()
        audience.leap()
        audience.wait_for_all()
    assert all(listener.ended for listener in listeners), listeners
    return listeners


def test_what_was_announced_stays_announced(tmp_path: Path, ledger: Ledger, soak: bool) -> None:
    """Whatever was answered with a 200 before, on a database that is written all the time."""
    kills = 60 if soak else 3
    epochs: dict[int, str] = {}
    with MortalServer(tmp_path) as server:
        with Backend(announcing(lambda: server.process, epochs, "s"), threads=4) as backend:
            for _ in range(kills):
                goal = len(backend.answered) + 100
                eventually(lambda: len(backend.answered) >= goal)  # noqa: B023 - used at once
                server.kill_and_restart()
        kept = _streams(server.process.url)
    lost = [number for number in backend.answered if kept.get(f"s-{number}") != epochs[number]]
    assert lost == []
    assert backend.failed
    ledger.note(
        "kill -9 during a burst of announcements",
        tried=len(backend.answered),
        unit="announcements",
        must_hold="Every stream answered with 200 is in the catalog after the restart, with its epoch.",
        lost=len(lost),
        measured=f"{kills} kills",
    )


@pytest.mark.one_process("the history of workers outlives them, in Redis")
def test_a_subscriber_recovers_or_is_told(tmp_path: Path, ledger: Ledger, soak: bool) -> None:
    """The history of UI updates ends with the process: never a gap in silence."""
    kills = 30 if soak else 2
    with MortalServer(tmp_path) as server:

        def send(number: int) -> bool:
            return server.process.send_ui_update("alice", "n", number).status_code == 200

        watcher = Watcher(server.process.url, "alice")
        eventually(lambda: watcher.items)
        with Backend(send) as backend:
            for _ in range(kills):
                goal = max(backend.answered, default=0) + 50
                eventually(lambda: watcher.latest >= goal)  # noqa: B023 - used at once
                server.kill_and_restart()
            goal = max(backend.answered) + 50
            eventually(lambda: watcher.latest >= goal, 2 * PATIENCE_SECONDS)
        assert watcher.lost(backend.answered) == 0
        assert watcher.told_missed >= 1
        watcher.close(server.process)
    ledger.note(
        "kill -9 under a subscriber to UI updates",
        tried=kills,
        unit="kills",
        must_hold="An update that was answered with 200 arrives once, in order, or the subscriber receives "
        "recovered: false.",
        lost=watcher.lost(backend.answered),
        measured=f"{len(backend.answered)} updates, recovered: false {times(watcher.told_missed)}",
    )


def _streams(url: str) -> dict[str, str]:
    """Return the epochs of all streams, by their ids."""
    epochs: dict[str, str] = {}
    cursor = ""
    while True:
        query = {"limit": 100} | ({"cursor": cursor} if cursor else {})
        page = requests.get(f"{url}/asf/internal/streams", params=query, timeout=PATIENCE_SECONDS).json()
        epochs |= {stream["stream_id"]: stream["epoch"] for stream in page["streams"]}
        if not (cursor := page["next_cursor"]):
            return epochs
