"""Peers that vanish without a word: a pulled cable, by network namespaces."""

import time

from tests.support.audience import (
    HTTP,
    PLAIN,
    POLLING,
    SOCKET_IO,
    TRANSPORTS,
    Audience,
    LightListener,
    longest_gap,
    lost_bytes,
)
from tests.support.cable import SERVER_ADDRESS, Cable
from tests.support.fixtures import StartServer, audio_of
from tests.support.footprint import footprint_after_use, wait_until_back
from tests.support.ledger import Ledger

SETTINGS = {
    "ASF_HOST": "0.0.0.0",  # noqa: S104 - in a network of its own
    "TEST_PING_SECONDS": "1",
    "TEST_KEEPALIVE_SECONDS": "1",
    "TEST_FIRST_REQUEST_SECONDS": "3",
    "ASF_SLOW_LISTENER_SECONDS": "2",
}
BOUND_SECONDS = 12.0
"""By when all is free again: two pings without a pong (2 s); a listener that takes nothing (2 s) and then has some
seconds to read why (5 s); what the kernel does not get acknowledged (3 s); and some more, as the machine is busy."""

LONGEST_GAP_SECONDS = 3.0
LISTENERS_EACH = 3
OTHER_AUDIO = audio_of(1_600_000, seed=2)


def test_a_pulled_cable(start_server: StartServer, ledger: Ledger, soak: bool) -> None:
    """Those who were streaming, waiting, or connected only: of none of them anything is left in the end."""
    rounds = 10 if soak else 1
    vanished = lost = 0
    gap = took = 0.0
    back = ""
    for _ in range(rounds):
        with Cable() as cable:
            server = start_server(SETTINGS, observed=True, wrapper=cable.wrapper)
            before = footprint_after_use(server, LISTENERS_EACH)
            audio = audio_of(20_000_000)
            server.announce("s", audio)
            server.announce("others", OTHER_AUDIO)
            with Audience() as audience:
                gone = [
                    LightListener(
                        server.port,
                        stream_id,
                        audio,
                        transport,
                        wait=stream_id == "later",
                        host=SERVER_ADDRESS,
                        source=cable.client_socket,
                    )
                    for stream_id, transports in (("s", TRANSPORTS), ("later", (SOCKET_IO, POLLING, PLAIN)))
                    for transport in transports
                    for _ in range(LISTENERS_EACH)
                ]
                audience.join(*gone)
                audience.wait_until(lambda listener: listener.hears or listener.statuses)
                idle = [cable.client_socket() for _ in range(LISTENERS_EACH)]
                for connection in idle:
                    connection.connect((SERVER_ADDRESS, server.port))
                others = [LightListener(server.port, "others", OTHER_AUDIO, transport) for transport in TRANSPORTS]
                audience.join(*others)
                audience.wait_until(lambda listener: listener.hears or listener.statuses)
                cable.pull()
                pulled_at = time.monotonic()
                for listener in others:
                    assert listener.done.wait(30)
                back = wait_until_back(server, before, BOUND_SECONDS)
                took = max(took, time.monotonic() - pulled_at)
                assert not any(listener.ended for listener in gone)
            for connection in idle:
                connection.close()
            assert all(listener.ended and listener.breaks == 0 for listener in others)
            vanished += len(gone) + len(idle)
            lost += lost_bytes(others)
            gap = max(gap, longest_gap(others))
            assert server.stop() == 0
    assert lost == 0
    assert gap < LONGEST_GAP_SECONDS
    assert took < BOUND_SECONDS
    ledger.note(
        f"peers that vanish without FIN or RST, on Socket.IO, polling, plain WebSocket and {HTTP}",
        tried=vanished,
        unit="half-open connections",
        must_hold="All that they held is freed in the time that follows from pings, ASF_SLOW_LISTENER_SECONDS and "
        "the kernel's bounds; the others hear every byte.",
        lost=lost,
        measured=f"all freed after {took:.1f} s, with pings every second and 2 s for slow listeners; longest gap of "
        f"the others {gap:.2f} s; {back}",
    )
