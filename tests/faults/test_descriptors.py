"""No file descriptors left."""

import resource
import socket
import time

import requests

from tests.support.audience import TRANSPORTS, Audience, LightListener, longest_gap, lost_bytes
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer, audio_of
from tests.support.footprint import footprint_after_use, wait_until_back
from tests.support.ledger import Ledger
from tests.support.processes import eventually

AUDIO = audio_of(1_200_000)
LONGEST_GAP_SECONDS = 3.0
LISTENERS_EACH = 3
SPARE_DESCRIPTORS = 20
IDLE_CONNECTIONS = 100
MOST_LINES_PER_SECOND = 0.5


def test_descriptors_run_out(start_server: StartServer, ledger: Ledger, soak: bool) -> None:
    """Idle connections take them all: those who listen hear nothing of it, and later all is well."""
    rounds = 30 if soak else 1
    server = start_server(observed=True)
    limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    before = footprint_after_use(server, LISTENERS_EACH)
    lost = lines = turned_away = 0
    gap = seconds = 0.0
    for _ in range(rounds):
        server.announce("s", AUDIO)
        with Audience() as audience:
            listeners = audience.join(
                *[LightListener(server.port, "s", AUDIO, one) for one in TRANSPORTS for _ in range(LISTENERS_EACH)]
            )
            audience.wait_until(lambda listener: listener.hears)
            used = server.descriptors()
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used + SPARE_DESCRIPTORS, limits[1]))
            written = len(server.log)
            starved_at = time.monotonic()
            idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(IDLE_CONNECTIONS)]
            eventually(lambda: server.descriptors() >= used + SPARE_DESCRIPTORS)  # noqa: B023 - used at once
            audience.wait_for_all()
            lines += sum("could not be accepted" in line for line in server.log[written:])
            seconds += time.monotonic() - starved_at
            assert server.descriptors() <= used + SPARE_DESCRIPTORS
            turned_away += IDLE_CONNECTIONS - SPARE_DESCRIPTORS
            for connection in idle:
                connection.close()
        assert requests.get(f"{server.url}/asf/ready", timeout=PATIENCE_SECONDS).status_code == 200
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
        assert all(listener.ended and listener.breaks == 0 for listener in listeners)
        lost += lost_bytes(listeners)
        gap = max(gap, longest_gap(listeners))
    assert lost == 0
    assert gap < LONGEST_GAP_SECONDS
    assert lines > 0
    assert lines / seconds < MOST_LINES_PER_SECOND
    back = wait_until_back(server, before)
    ledger.note(
        "file descriptors exhausted",
        tried=turned_away,
        unit="connections without a descriptor",
        must_hold="Listeners under way hear every byte; the log is not flooded; once descriptors are free, the "
        "server is ready and takes connections.",
        lost=lost,
        measured=f"{rounds} times; longest gap {gap:.2f} s; {lines / seconds:.1f} lines of log a second; {back}",
    )
