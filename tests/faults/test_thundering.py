"""Five hundred listeners cut at once, and back at once."""

import time

import pytest

from tests.support.audience import TRANSPORTS, Audience, LightListener, longest_gap, lost_bytes
from tests.support.bounds import PATIENCE_SECONDS, STREAM_SECONDS
from tests.support.fixtures import StartServer, audio_of
from tests.support.footprint import MEBIBYTE, footprint_after_use, wait_until_back
from tests.support.ledger import Ledger
from tests.support.processes import eventually

HERD = 500
WELL_BEHAVED = 20
SETTINGS = {
    "ASF_STREAM_SLEEP_INTERVAL": "0.1",
    "TEST_PING_SECONDS": "2",
    "TEST_PONG_SECONDS": "45",
    "TEST_UNANSWERED_PINGS": "22",
}
"""41 KB a second: what is tried is the coming back, not the bandwidth. Pings show which of the cut clients on long
polling do not come back to their connection. The others answer when they have read what came before, which a busy
machine takes long for."""

HTTP_BYTES_PER_SECOND = 40_000

MEMORY_TOLERANCE_BYTES = 64 * MEBIBYTE
"""The allocator keeps what the herd took together, at the first time."""

GROWTH_TOLERANCE_BYTES = 16 * MEBIBYTE
"""Later times need no more."""


FORGOTTEN_SECONDS = STREAM_SECONDS
"""A session that nobody polls any more ends after its pings, which are put off while it may be slow."""


def make_audio() -> bytes:
    """Return what is heard."""
    return audio_of(120 * HTTP_BYTES_PER_SECOND)


@pytest.mark.long
def test_listeners_that_are_disconnected_at_once_resume(
    start_server: StartServer, ledger: Ledger, soak: bool
) -> None:
    """By TCP resets, at their offsets; those that were not cut hear on."""
    cuts = 5 if soak else 1
    server = start_server(SETTINGS, observed=True)
    before = footprint_after_use(server, listeners_each=5)
    lost = tried = 0
    gap = back_after = 0.0
    memory = []
    for _ in range(cuts):
        server.announce("s", make_audio())
        with Audience() as audience:
            well_behaved = audience.join(*_listeners(server.port, WELL_BEHAVED))
            herd = audience.join(*_listeners(server.port, HERD))
            audience.wait_until(lambda listener: listener.hears)
            assert not any(listener.ended for listener in audience.listeners)
            cut_at = time.monotonic()
            audience.reset(herd)
            audience.hear_on(well_behaved)
            places = {listener: listener.offset for listener in audience.listeners}
            audience.wait_until(lambda listener: listener.breaks or listener in well_behaved)  # noqa: B023
            audience.wait_until(lambda listener: listener.offset > places[listener])  # noqa: B023 - used at once
            back_after = max(back_after, time.monotonic() - cut_at)
            audience.hear_on()
            audience.leap(left=80_000)
            audience.wait_for_all()
        assert all(listener.ended and listener.breaks == 0 for listener in well_behaved)
        assert all(listener.ended for listener in herd)
        assert all(listener.breaks >= 1 for listener in herd)
        tried += len(herd)
        lost += lost_bytes(audience.listeners)
        gap = max(gap, longest_gap(well_behaved))
        if soak:
            # The sessions of long polling that nobody came back to hold what was sent to them.
            eventually(lambda: "asf_socketio_connections 0.0" in server.metrics(), FORGOTTEN_SECONDS)
        memory.append(server.memory())
    assert lost == 0
    back = wait_until_back(server, before, 2 * PATIENCE_SECONDS, MEMORY_TOLERANCE_BYTES)
    assert memory[-1] - memory[len(memory) // 2] < GROWTH_TOLERANCE_BYTES
    ledger.note(
        f"{HERD} listeners disconnected at once by a TCP reset, all reconnecting at once",
        tried=tried,
        unit="listeners disconnected",
        must_hold="Each resumes at its offset and receives every byte once; the others continue; descriptors, "
        f"greenlets and memory (to {MEMORY_TOLERANCE_BYTES // MEBIBYTE} MiB) return to their initial level.",
        lost=lost,
        measured=f"all resumed after {back_after:.1f} s; longest gap of {WELL_BEHAVED} others {gap:.2f} s; {back}",
    )


def _listeners(port: int, count: int) -> list[LightListener]:
    """Return as many listeners of each transport."""
    return [
        LightListener(
            port, "s", make_audio(), TRANSPORTS[number % len(TRANSPORTS)], http_bytes_per_second=HTTP_BYTES_PER_SECOND
        )
        for number in range(count)
    ]
