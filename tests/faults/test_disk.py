"""Disks that are full, and disks that cannot be read."""

from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest
import requests

from tests.support.audience import (
    HTTP,
    LONG,
    LONG_AUDIO_BYTES,
    LONG_BYTES_PER_SECOND,
    TRANSPORTS,
    Audience,
    LightListener,
    longest_gap,
    lost_bytes,
    one_of_each,
)
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer, audio_of
from tests.support.footprint import footprint_after_use, wait_until_back
from tests.support.ledger import Ledger, times
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.small_disk import FullDisk, small_disk_at

AUDIO = audio_of(1_200_000)
SHORT_AUDIO = audio_of(6 * LONG_BYTES_PER_SECOND, seed=3)

SPARE_DESCRIPTORS = 20
"""More than the requests of a test hold at a time, and far fewer than there would be if each attempt left one."""

Fault = Callable[[Path], None]


def make_long_audio() -> bytes:
    """Return audio that lasts."""
    return audio_of(LONG_AUDIO_BYTES)


def test_a_full_disk_under_the_catalog(tmp_path: Path, start_server: StartServer, ledger: Ledger, soak: bool) -> None:
    """Announcements are refused and nothing else; with space, all is as before."""
    rounds = 20 if soak else 1
    disk = tmp_path / "disk"
    settings = LONG | {"ASF_DATABASE": str(disk / "catalog.sqlite3")}
    server = start_server(settings, observed=True, wrapper=small_disk_at(disk))
    before = footprint_after_use(server)
    promised: dict[str, str] = {}
    refused = lost = 0
    gap = 0.0

    def announce(stream_id: str) -> int:
        answer = server.notify(stream_id, str(server.audio_root / "s.mp3"))
        if answer.status_code == 200:
            promised[stream_id] = answer.json()["epoch"]
        else:
            assert (answer.status_code, answer.json()["error_code"]) == (503, "ASF_CATALOG_UNAVAILABLE")
        return answer.status_code

    for number in range(rounds):
        server.announce("s", make_long_audio())
        with Audience() as audience:
            listeners = audience.join(*one_of_each(server.port, "s", make_long_audio()))
            audience.wait_until(lambda listener: listener.hears)
            with FullDisk(server.pid, disk):
                # What the database has of space goes first.
                eventually(lambda: announce(f"full-{number}-{len(promised)}") == 503)  # noqa: B023 - used at once
                for again in range(20):
                    refused += announce(f"again-{number}-{again}") == 503
                audience.hear_on()
                eventually(lambda: "catalog: " in _not_ready(server))
                late = audience.join(*one_of_each(server.port, "s", make_long_audio()))
                audience.wait_until(lambda listener: listener.hears)
                audience.hear_on()
            assert announce(f"space-{number}") == 200
            assert _not_ready(server) == ""
            audience.leap()
            audience.wait_for_all()
        assert late
        assert all(listener.ended and listener.breaks == 0 for listener in audience.listeners)
        lost += lost_bytes(audience.listeners)
        gap = max(gap, longest_gap(listeners))
    url = f"{server.url}/asf/internal/streams"
    kept = {one: requests.get(f"{url}/{one}", timeout=PATIENCE_SECONDS).json()["epoch"] for one in promised}
    lost += sum(kept[one] != promised[one] for one in promised)
    assert lost == 0
    assert refused > 0
    back = wait_until_back(server, before)
    ledger.note(
        "full disk under the catalog",
        tried=refused,
        unit="announcements without space",
        must_hold="An announcement is stored, or receives 503 ASF_CATALOG_UNAVAILABLE; /asf/ready names the catalog; "
        "existing and new sessions receive every byte; once there is space, everything works again.",
        lost=lost,
        measured=f"full {times(rounds)}; longest gap {gap:.2f} s; {back}",
    )


@pytest.mark.parametrize("fault", ["stat", "tail"])
def test_a_growing_file_that_cannot_be_examined(start_server: StartServer, fault: str) -> None:
    """Its listeners wait, and receive all of it once the disk recovers. Nobody else notices; the log is quiet."""
    server = start_server(LONG, observed=True)
    server.announce("s", make_long_audio())
    path = server.audio_root / "broken.mp3"
    path.write_bytes(AUDIO)
    with Audience() as audience:
        listeners = audience.join(*one_of_each(server.port, "s", make_long_audio()))
        audience.wait_until(lambda listener: listener.hears)
        server.break_parts(**{fault: 1.0})
        server.notify("broken", str(path), state="generating").raise_for_status()
        waiting = PlainListener(server.url, "broken")
        waiting.receive_until("start_of_stream")
        descriptors, lines = server.descriptors(), len(server.log)
        eventually(lambda: server.failures()[fault] >= 100)
        audience.hear_on()
        assert _not_ready(server) == ""
        assert server.descriptors() <= descriptors + SPARE_DESCRIPTORS
        assert not [line for line in server.log[lines:] if "ERROR" in line or "Traceback (" in line]
        server.break_parts()
        server.notify("broken", str(path), state="complete").raise_for_status()
        waiting.receive_to_the_end()
        assert waiting.audio == AUDIO
        audience.leap()
        audience.wait_for_all()
    assert all(listener.ended and listener.breaks == 0 for listener in listeners)
    assert lost_bytes(listeners) == 0


def _not_ready(server: ServerProcess) -> str:
    """Return what keeps the server from being ready; empty if nothing."""
    answer = requests.get(f"{server.url}/asf/ready", timeout=PATIENCE_SECONDS)
    assert answer.status_code in {200, 503}
    return "" if answer.status_code == 200 else str(answer.json()["details"])


def truncate(path: Path) -> None:
    """Cut the file short."""
    with path.open("r+b") as file:
        file.truncate(LONG_AUDIO_BYTES // 4)


def overwrite(path: Path) -> None:
    """Write other bytes in their place."""
    with path.open("r+b") as file:
        file.seek(LONG_AUDIO_BYTES // 2)
        file.write(audio_of(1000, seed=2))


def append(path: Path) -> None:
    """Write more."""
    with path.open("ab") as file:
        file.write(b"more")


def replace(path: Path) -> None:
    """Put another file in its place."""
    other = path.with_name("new.mp3")
    other.write_bytes(audio_of(len(SHORT_AUDIO), seed=2))
    other.rename(path)


def remove(path: Path) -> None:
    """Remove the file."""
    path.unlink()


def make_directory(path: Path) -> None:
    """Put a directory in its place."""
    path.unlink()
    path.mkdir()


SPOILS: tuple[Fault, ...] = (truncate, overwrite, append)
"""Faults after which what was announced cannot be had any more."""

SPARES: tuple[Fault, ...] = (remove, replace, make_directory)
"""Faults that leave an opened file what it was."""


def test_audio_that_is_changed_in_mid_stream(start_server: StartServer, ledger: Ledger, soak: bool) -> None:
    """What is heard before the error is right, and the error says how much that was; the others do not notice."""
    rounds = 10 if soak else 1
    server = start_server(LONG, observed=True)
    before = footprint_after_use(server)
    lost: Counter[Fault] = Counter()
    gap = 0.0
    for _ in range(rounds):
        with Audience() as audience:
            server.announce("other", make_long_audio())
            others = audience.join(*one_of_each(server.port, "other", make_long_audio()))
            # Who is to hear all comes last, and hears less.
            audios = dict.fromkeys(SPOILS, make_long_audio()) | dict.fromkeys(SPARES, SHORT_AUDIO)
            paths = {fault: server.announce(fault.__name__, audio) for fault, audio in audios.items()}
            listeners = {
                fault: audience.join(*one_of_each(server.port, fault.__name__, audio))
                for fault, audio in audios.items()
            }
            for listener in chain.from_iterable(listeners.values()):
                listener.returns = False
            audience.wait_until(lambda listener: listener.hears)
            for fault in SPARES + SPOILS:
                fault(paths[fault])
                audience.hear_on(others)
            for fault in SPOILS:
                for listener in listeners[fault]:
                    assert listener.done.wait(PATIENCE_SECONDS)
            audience.leap(others)
            audience.wait_for_all()
        paths[make_directory].rmdir()
        for fault in SPOILS:
            lost[fault] += sum(listener.wrong for listener in listeners[fault])
            assert all(map(_was_told, listeners[fault]))
        for fault in SPARES:
            lost[fault] += lost_bytes(listeners[fault])
            assert all(listener.ended and listener.breaks == 0 for listener in listeners[fault])
        assert all(listener.ended and listener.breaks == 0 for listener in others)
        assert lost_bytes(others) == 0
        gap = max(gap, longest_gap(others))
    assert lost.total() == 0
    back = wait_until_back(server, before)
    for fault in SPOILS + SPARES:
        outcome = (
            "receives ASF_AUDIO_UNAVAILABLE at its offset, or is aborted over HTTP,"
            if fault in SPOILS
            else "receives all of the audio"
        )
        ledger.note(
            f"audio file in mid-stream: {fault.__name__.replace('_', ' ')}",
            tried=rounds * len(TRANSPORTS),
            unit="listeners",
            must_hold=f"Each session {outcome} and never a wrong byte; the others receive every byte.",
            lost=lost[fault],
            measured=f"longest gap of the others {gap:.2f} s; {back}",
        )


def _was_told(listener: LightListener) -> bool:
    """Return whether a listener was told that the audio ends where it has come to."""
    if listener.transport == HTTP:  # Status and length are out by then.
        return listener.breaks == 1 and not listener.ended
    error = listener.error or {}
    return (error.get("error_code"), error.get("offset")) == ("ASF_AUDIO_UNAVAILABLE", listener.offset)


@pytest.mark.parametrize(("part", "rate"), [("disk", 0.2), ("short_read", 0.2)])
def test_a_disk_that_cannot_be_read(
    start_server: StartServer, ledger: Ledger, soak: bool, part: str, rate: float
) -> None:
    """Errors come at some reads; who comes back at the offset that it was told loses nothing."""
    rounds = 40 if soak else 2
    server = start_server({"ASF_STREAM_SLEEP_INTERVAL": "0.001"}, observed=True)
    before = footprint_after_use(server)
    server.announce("s", AUDIO)
    errors = 0
    lost = 0
    with Audience() as audience:
        server.break_parts(**{part: rate})
        for _ in range(rounds):
            listeners = [
                LightListener(server.port, "s", AUDIO, transport, http_bytes_per_second=4_000_000)
                for transport in TRANSPORTS
            ]
            while left := [one for one in listeners if not one.ended]:
                for listener in left:
                    listener.error = None
                    listener.done.clear()
                audience.join(*left)
                for listener in left:
                    assert listener.done.wait(PATIENCE_SECONDS)
                    if listener.error is not None:
                        errors += 1
                        assert listener.error["error_code"] == "ASF_AUDIO_UNAVAILABLE"
                        assert listener.error.get("offset", listener.offset) == listener.offset
            lost += lost_bytes(listeners)
        server.break_parts()
    assert lost == 0
    failures = server.failures()[part]
    assert failures > 0
    back = wait_until_back(server, before)
    ledger.note(
        {"disk": "EIO in the middle of a read", "short_read": "short reads"}[part],
        tried=failures,
        unit="failing reads",
        must_hold="A listener receives ASF_AUDIO_UNAVAILABLE with the offset of the first missing byte, and every "
        "byte once after resuming there.",
        lost=lost,
        measured=f"{errors} errors received; {back}",
    )
