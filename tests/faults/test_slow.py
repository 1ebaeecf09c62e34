"""Clients that send, or read, one byte at a time, and clients that flood."""

import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

import pytest
import websocket

from asf.adapters.engineio.connections import NAMESPACE_SECONDS
from asf.domain.streaming.batch_cache import MAX_CACHED_BYTES
from tests.support.audience import (
    HTTP,
    LONG,
    LONG_AUDIO_BYTES,
    PLAIN,
    SOCKET_IO,
    Audience,
    LightListener,
    disturbed,
    longest_gap,
    lost_bytes,
    one_of_each,
)
from tests.support.bounds import LATE_SECONDS
from tests.support.dripping import BODY_HEAD, HANDSHAKE, LONG_FRAME, REQUEST_LINE, Drip, drip_until_cut
from tests.support.engineio_wire import WireListener
from tests.support.fixtures import StartServer, audio_of
from tests.support.footprint import MEMORY_TOLERANCE_BYTES, footprint_after_use, wait_until_back
from tests.support.ledger import Ledger, times
from tests.support.processes import ServerProcess, eventually

CLIENTS_EACH = 20
SHORT_FLOOD, LONG_FLOOD = 1_000, 20_000
"""How many frames are let through as fast as they come, before their rate is limited: the flood at its full force."""

MOST_UNANSWERED = 400
"""A client that leaves many more answers unread is given up, which is tested elsewhere."""

MEMORY_TOLERANCE = MEMORY_TOLERANCE_BYTES + 2 * MAX_CACHED_BYTES
"""The audio is longer here: the allocator keeps what its cache took, and the frames that were rendered of that."""


class Promises:
    """When slow clients are cut, in seconds: as by default, or that divided by five."""

    def __init__(self, scale: float) -> None:
        self.first_request = 30 * scale
        self.head = 10 * scale
        self.body = 30 * scale
        self.join = 30 * scale
        self.slow_listener = 30 * scale

    def settings(self) -> dict[str, str]:
        """Return the settings that make those hold that concern who sends."""
        return LONG | {
            "TEST_FIRST_REQUEST_SECONDS": str(self.first_request),
            "TEST_HEAD_SECONDS": str(self.head),
            "TEST_BODY_SECONDS": str(self.body),
            "TEST_JOIN_SECONDS": str(self.join),
        }


@pytest.fixture
def promises(soak: bool) -> Promises:
    """Return the defaults where there is time for them."""
    return Promises(1.0 if soak else 0.2)


def others(server: ServerProcess) -> list[LightListener]:
    """Return a well-behaved listener of every transport."""
    audio = audio_of(LONG_AUDIO_BYTES)
    server.announce("others", audio)
    return one_of_each(server.port, "others", audio)


def test_one_byte_at_a_time(start_server: StartServer, ledger: Ledger, promises: Promises, soak: bool) -> None:
    """Heads, bodies, handshakes and frames; and those that say nothing at all."""
    server = start_server(promises.settings(), observed=True)
    before = footprint_after_use(server)
    with Audience() as audience:
        well_behaved = audience.join(*others(server))
        audience.wait_until(lambda listener: listener.hears)
        heads = {"head": REQUEST_LINE, "handshake": HANDSHAKE[:-2] + b"X"}
        drips = {
            name: [Drip(server.port, promises.head, head[:1], head[1:]) for _ in range(CLIENTS_EACH)]
            for name, head in heads.items()
        }
        more_drips = {
            "silence": [Drip(server.port, promises.first_request) for _ in range(CLIENTS_EACH)],
            "body": [Drip(server.port, promises.body, BODY_HEAD, b"x") for _ in range(CLIENTS_EACH)],
            "frame": [
                Drip(server.port, NAMESPACE_SECONDS, HANDSHAKE, LONG_FRAME + b"x", after_answer=True)
                for _ in range(CLIENTS_EACH)
            ],
        }
        drips |= more_drips
        everybody = [drip for each in drips.values() for drip in each]
        audience.hear_on()
        drip_until_cut(everybody, 1.0 if soak else 0.1, LATE_SECONDS)
        audience.hear_on()
        audience.leap()
        audience.wait_for_all()
    late = {name: max((drip.lasted or 1e9) - drip.allowed_seconds for drip in each) for name, each in drips.items()}
    assert max(late.values()) < LATE_SECONDS, late
    early = {name: min((drip.lasted or 0.0) - drip.allowed_seconds for drip in each) for name, each in drips.items()}
    assert min(early.values()) >= 0.0, early
    # Each in its own time: those that may be slow for a while longer are still there.
    last = max(drip.steps for name in heads for drip in drips[name])
    assert last <= min(drip.steps for name in ("silence", "body") for drip in drips[name])
    assert all(listener.ended and listener.breaks == 0 for listener in well_behaved)
    assert lost_bytes(well_behaved) == 0
    back = wait_until_back(server, before, memory_tolerance=MEMORY_TOLERANCE)
    ledger.note(
        "clients that send one byte at a time, or nothing: request heads, WebSocket handshakes, bodies, frames",
        tried=len(everybody),
        unit="slow clients",
        must_hold="Each is disconnected at the documented time, and not before; the others receive every byte.",
        lost=lost_bytes(well_behaved),
        measured="a byte every "
        + ("second" if soak else "0.1 s, all times divided by five")
        + f"; disconnected at most {max(late.values()):.1f} s late; longest gap of the others "
        f"{longest_gap(well_behaved):.2f} s; {back}",
    )


def test_reading_one_byte_at_a_time(
    start_server: StartServer, ledger: Ledger, promises: Promises, soak: bool
) -> None:
    """A listener that takes nearly nothing loses its place, whatever it listens over."""
    limits = ("ASF_SLOW_LISTENER_SECONDS", "ASF_HTTP_PAUSE_SECONDS")
    settings = LONG | dict.fromkeys(limits, str(promises.slow_listener))
    server = start_server(settings, observed=True)
    before = footprint_after_use(server)
    audio = audio_of(30_000_000)
    server.announce("s", audio)
    with Audience() as audience:
        well_behaved = audience.join(*others(server))
        audience.wait_until(lambda listener: listener.hears)
        began = time.monotonic()
        slow = [_slow_reader(server, transport) for transport in (SOCKET_IO, PLAIN, HTTP) for _ in range(5)]
        eventually(lambda: f"asf_listeners {len(slow) + len(well_behaved)}.0" in server.metrics())
        end = time.monotonic() + promises.slow_listener + LATE_SECONDS
        while (dropped := _dropped(server)) < len(slow) and time.monotonic() < end:
            assert not dropped or time.monotonic() >= began + promises.slow_listener
            for reader in slow:
                reader.recv(1)
            time.sleep(1.0 if soak else 0.1)  # The rhythm of the reading.
        took = time.monotonic() - began
        audience.hear_on()
        audience.leap()
        audience.wait_for_all()
    assert dropped == len(slow)
    assert took >= promises.slow_listener
    for reader in slow:
        reader.close()
    assert all(listener.ended and listener.breaks == 0 for listener in well_behaved)
    assert lost_bytes(well_behaved) == 0
    back = wait_until_back(server, before, memory_tolerance=MEMORY_TOLERANCE)
    ledger.note(
        "listeners that read one byte at a time",
        tried=len(slow),
        unit="slow listeners",
        must_hold="Each session ends after ASF_SLOW_LISTENER_SECONDS, by URL after ASF_HTTP_PAUSE_SECONDS; the "
        "others receive every byte.",
        lost=lost_bytes(well_behaved),
        measured=f"all dropped after {took:.1f} s of {promises.slow_listener:g} s; longest gap of the others "
        f"{longest_gap(well_behaved):.2f} s; {back}",
    )


def _slow_reader(server: ServerProcess, transport: str) -> socket.socket:
    """Return a connection that listens to the stream `s`, and of which nothing has been read since."""
    narrow = ((socket.SOL_SOCKET, socket.SO_RCVBUF, 4096),)
    if transport == SOCKET_IO:
        listener = WireListener(server.url, polling=False, socket_options=narrow)
        listener.emit("join_stream", {"stream_id": "s"})
        return listener.socket
    reader = socket.socket()
    for option in narrow:
        reader.setsockopt(*option)
    reader.connect(("127.0.0.1", server.port))
    upgrade = HANDSHAKE.partition(b"Host")[2] if transport == PLAIN else b": asf\r\n\r\n"
    reader.sendall(b"GET /api/v1/podcasts/stream/s HTTP/1.1\r\nHost" + upgrade)
    return reader


def _dropped(server: ServerProcess) -> int:
    """Return how many listeners have lost their places as they were too slow."""
    return int(server.metric('asf_streams_ended_total{outcome="ASF_LISTENER_TOO_SLOW"}'))


LIMITED = {"ASF_RATE_LIMITED", "ASF_SLOWED_DOWN"}


class Flooder:
    """One connection that sends as fast as it can, and reads what comes. `times_told` counts the limits among it.

    It sends `event` while it is entered.
    """

    def __init__(self, url: str, event: str) -> None:
        self.sent = 0
        self._event = event
        self._ending = threading.Event()
        self.times_told = 0
        self._answered = 0
        self._listener = WireListener(url, polling=False)
        self._listener.emit("join_stream", {"stream_id": "s"})  # Or it would have to go after a while.
        self._listener.receive_until("start_of_stream")
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._read, self._send)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ending.set()
        self._listener.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _send(self) -> None:
        with suppress(websocket.WebSocketException, OSError):
            while not self._ending.is_set():
                if self.sent - self._answered >= MOST_UNANSWERED:
                    self._ending.wait(0.01)
                    continue
                # What either of the two events may say.
                self._listener.emit(self._event, {"stream_id": "s", "received": 0})
                self.sent += 1

    def _read(self) -> None:
        with suppress(websocket.WebSocketException, OSError):
            while True:
                self._listener.receive()
                told = [(payload or {}).get("error_code") for _, payload in self._listener.events]
                self.times_told += sum(code in LIMITED for code in told)
                self._answered += len(self._listener.events)
                self._listener.events.clear()


@pytest.mark.parametrize("event", ["join_stream", "audio_ack"])
def test_a_client_floods(start_server: StartServer, ledger: Ledger, soak: bool, event: str) -> None:
    """It is told so, or slowed down; the others do not notice."""
    at_once = LONG_FLOOD if soak else SHORT_FLOOD
    # A low rate: one that sends slowly, as its machine is busy, exceeds it all the same.
    limits = {"TEST_FRAMES_PER_SECOND": "100", "TEST_FRAMES_AT_ONCE": str(at_once)}
    server = start_server(LONG | limits, observed=True)
    before = footprint_after_use(server)
    server.announce("s", b"audio")
    with Audience() as audience:
        well_behaved = list(audience.join(*others(server)))
        audience.wait_until(lambda listener: listener.hears)
        with Flooder(server.url, event) as flooder:
            eventually(lambda: flooder.sent)
            listening: Sequence[LightListener] = tuple(well_behaved)
            audience.hear_on(listening)
            while flooder.sent < at_once + at_once // 10 or not flooder.times_told:
                if any(listener.offset > LONG_AUDIO_BYTES // 2 for listener in listening):
                    # They begin anew where their audio would end before this does.
                    audience.leap(listening)
                    audience.wait_for_all()
                    listening = audience.join(*others(server))
                    well_behaved += listening
                audience.hear_on(listening)
        audience.leap()
        audience.wait_for_all()
    assert disturbed(well_behaved) == []
    assert lost_bytes(well_behaved) == 0
    back = wait_until_back(server, before, memory_tolerance=MEMORY_TOLERANCE)
    ledger.note(
        f"one client that floods the server with {event}",
        tried=flooder.sent,
        unit="events",
        must_hold="It receives ASF_RATE_LIMITED or ASF_SLOWED_DOWN; the others receive every byte.",
        lost=lost_bytes(well_behaved),
        measured=f"notified {times(flooder.times_told)}; "
        f"longest gap of the others {longest_gap(well_behaved):.2f} s; {back}",
    )
