"""No file descriptors left."""

import resource
import socket
import time

import requests

from asf.adapters.eventlet_runtime.listening import ERROR_LOG_SECONDS
from asf.domain.streaming.batch_cache import MAX_CACHED_BYTES
from tests.support.audience import LONG, LONG_AUDIO_BYTES, Audience, disturbed, longest_gap, lost_bytes, one_of_each
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener
from tests.support.fixtures import StartServer, audio_of
from tests.support.footprint import MEMORY_TOLERANCE_BYTES, footprint_after_use, wait_until_back
from tests.support.ledger import Ledger, times
from tests.support.processes import ServerProcess, eventually

LISTENERS_EACH = 3
SPARE_DESCRIPTORS = 20
IDLE_CONNECTIONS = 100
SETTINGS = LONG | dict.fromkeys(("TEST_FIRST_REQUEST_SECONDS", "TEST_JOIN_SECONDS"), "600")
"""Connections may be idle for as long as all that takes."""

MEMORY_TOLERANCE = MEMORY_TOLERANCE_BYTES + MAX_CACHED_BYTES
"""The audio is longer here: the allocator keeps what its cache took."""

AUDIO = audio_of(100_000, seed=2)


def make_audio() -> bytes:
    """Return what is heard."""
    return audio_of(LONG_AUDIO_BYTES)


def test_descriptors_run_out(start_server: StartServer, ledger: Ledger, soak: bool) -> None:
    """Idle connections take them all: those who listen hear nothing of it, and later all is well."""
    rounds = 30 if soak else 1
    server = start_server(SETTINGS, observed=True)
    limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    before = footprint_after_use(server, LISTENERS_EACH)
    lost = lines = turned_away = 0
    most_lines = gap = 0.0
    for _ in range(rounds):
        server.announce("s", make_audio())
        server.announce("later", AUDIO)
        with Audience() as audience:
            listeners = audience.join(*one_of_each(server.port, "s", make_audio(), each=LISTENERS_EACH))
            audience.wait_until(lambda listener: listener.hears)
            newcomer = WireListener(server.url, polling=False)
            used = server.descriptors()
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used + SPARE_DESCRIPTORS, limits[1]))
            written = len(server.log)
            starved_at = time.monotonic()
            idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(IDLE_CONNECTIONS)]
            eventually(lambda: server.descriptors() >= used + SPARE_DESCRIPTORS)  # noqa: B023 - used at once
            audience.hear_on()
            eventually(lambda: _complaints(server, written) > 0)  # noqa: B023 - used at once
            audience.hear_on()
            assert server.descriptors() <= used + SPARE_DESCRIPTORS
            newcomer.emit("join_stream", {"stream_id": "later"})
            error = newcomer.receive_until("stream_error")
            assert (error["error_code"], error["retryable"]) == ("ASF_AUDIO_UNAVAILABLE", True)
            lines += _complaints(server, written)
            most_lines += 1 + (time.monotonic() - starved_at) / ERROR_LOG_SECONDS
            turned_away += IDLE_CONNECTIONS - SPARE_DESCRIPTORS
            for connection in idle:
                connection.close()
            # Who comes after them is accepted when they are gone.
            eventually(lambda: requests.get(f"{server.url}/asf/ready", timeout=PATIENCE_SECONDS).ok)
            eventually(lambda: server.descriptors() <= used)  # noqa: B023 - used at once
            newcomer.emit("join_stream", {"stream_id": "later"})
            newcomer.receive_until("end_of_stream")
            assert newcomer.audio == AUDIO
            newcomer.close()
            audience.leap()
            audience.wait_for_all()
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
        assert disturbed(listeners) == []
        lost += lost_bytes(listeners)
        gap = max(gap, longest_gap(listeners))
    assert lost == 0
    assert 0 < lines <= most_lines
    back = wait_until_back(server, before, memory_tolerance=MEMORY_TOLERANCE)
    ledger.note(
        "file descriptors exhausted",
        tried=turned_away,
        unit="connections without a descriptor",
        must_hold="Existing sessions receive every byte; the log is not flooded; once descriptors are free, the "
        "server is ready and accepts connections.",
        lost=lost,
        measured=f"{times(rounds)}; longest gap {gap:.2f} s; {lines} log lines; {back}",
    )


def _complaints(server: ServerProcess, written: int) -> int:
    """Count the lines since line `written` of the log that say so."""
    return sum("Cannot accept connections" in line for line in server.log[written:])
