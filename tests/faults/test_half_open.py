"""Peers that vanish without a word: a pulled cable, by network namespaces."""

import time
from contextlib import ExitStack

import pytest

from tests.support.audience import (
    HTTP,
    LONG,
    LONG_AUDIO_BYTES,
    PLAIN,
    POLLING,
    SOCKET_IO,
    TRANSPORTS,
    Audience,
    LightListener,
    longest_gap,
    lost_bytes,
    one_of_each,
)
from tests.support.bounds import LATE_SECONDS, PATIENCE_SECONDS, PONG_SECONDS
from tests.support.cable import SERVER_ADDRESS, Cable
from tests.support.fixtures import StartServer, audio_of
from tests.support.footprint import footprint_after_use, wait_until_back
from tests.support.ledger import Ledger
from tests.support.processes import ServerProcess

SETTINGS = LONG | {
    "ASF_HOST": "0.0.0.0",  # noqa: S104 - in a network of its own
    "TEST_PING_SECONDS": "1",
    # The others answer, late where the machine is busy.
    "TEST_PONG_SECONDS": str(PONG_SECONDS),
    "TEST_UNANSWERED_PINGS": str(int(PONG_SECONDS)),
    "TEST_KEEPALIVE_SECONDS": "1",
    "TEST_FIRST_REQUEST_SECONDS": "3",
    "ASF_SLOW_LISTENER_SECONDS": "2",
}
PATIENT_SETTINGS = LONG | {
    "ASF_HOST": "0.0.0.0",  # noqa: S104 - as above
    "TEST_PING_SECONDS": "600",
    "TEST_FIRST_REQUEST_SECONDS": "600",
    "ASF_SLOW_LISTENER_SECONDS": "600",
}
"""With which nobody who has vanished is missed before the kernel gives up."""

PROMISED_SECONDS = 7.0
"""By when all is free again: pings without a pong (6 s); a listener that takes nothing (2 s) and then has some
seconds to read why (5 s); what the kernel does not get acknowledged (3 s)."""

LISTENERS_EACH = 3


def make_audio() -> bytes:
    """Return what is heard."""
    return audio_of(20_000_000)


def make_other_audio() -> bytes:
    """Return the other audio."""
    return audio_of(LONG_AUDIO_BYTES, seed=2)


@pytest.mark.long
def test_a_pulled_cable(start_server: StartServer, ledger: Ledger, soak: bool) -> None:
    """Those who were streaming, waiting, or connected only: of none of them anything is left in the end."""
    rounds = 10 if soak else 1
    vanished = lost = 0
    gap = took = 0.0
    back = ""
    for _ in range(rounds):
        with Cable() as cable:
            # A server that misses nobody so soon shows that the others hear on; the other one, what is freed when.
            patient = start_server(PATIENT_SETTINGS, observed=True, wrapper=cable.wrapper)
            server = start_server(SETTINGS, observed=True, wrapper=cable.wrapper)
            before = footprint_after_use(server, LISTENERS_EACH)
            for one in (patient, server):
                one.announce("s", make_audio())
                one.announce("others", make_other_audio())
            with Audience() as audience, ExitStack() as idle:
                gone = {one: audience.join(*_to_vanish(one, cable)) for one in (patient, server)}
                audience.wait_until(lambda listener: listener.hears or listener.statuses)
                for one in (*[patient] * LISTENERS_EACH, *[server] * LISTENERS_EACH):
                    idle.enter_context(cable.client_socket()).connect((SERVER_ADDRESS, one.port))
                others = {one: audience.join(*one_of_each(one.port, "others", make_other_audio())) for one in gone}
                audience.wait_until(lambda listener: listener.hears or listener.statuses)
                cable.pull()
                audience.hear_on(others[patient])
                everybody = len(gone[patient]) + len(others[patient])
                assert f"asf_listeners {everybody}.0" in patient.metrics()
                cable.give_up_soon()
                pulled_at = time.monotonic()
                audience.hear_on(others[server])
                audience.leap([*others[patient], *others[server]])
                for listener in (*others[patient], *others[server]):
                    assert listener.done.wait(PATIENCE_SECONDS)
                back = wait_until_back(server, before, PROMISED_SECONDS + LATE_SECONDS)
                took = max(took, time.monotonic() - pulled_at)
                assert not any(listener.ended for one in gone.values() for listener in one)
            heard = [*others[patient], *others[server]]
            assert all(listener.ended and listener.breaks == 0 for listener in heard)
            vanished += len(gone[server]) + LISTENERS_EACH
            lost += lost_bytes(heard)
            gap = max(gap, longest_gap(heard))
            assert (patient.stop(), server.stop()) == (0, 0)
    assert lost == 0
    ledger.note(
        f"peers that disappear without FIN or RST, on Socket.IO, polling, plain WebSocket and {HTTP}",
        tried=vanished,
        unit="half-open connections",
        must_hold="All of their resources are freed within the limits of pings, ASF_SLOW_LISTENER_SECONDS and the "
        "kernel; the others receive every byte.",
        lost=lost,
        measured=f"all freed after {took:.1f} s, with pings every second and 2 s for slow listeners; longest gap of "
        f"the others {gap:.2f} s; {back}",
    )


def _to_vanish(server: ServerProcess, cable: Cable) -> list[LightListener]:
    """Return listeners at the other end of the cable: of a stream, and of one that is made later."""
    return [
        LightListener(
            server.port,
            stream_id,
            make_audio(),
            transport,
            wait=stream_id == "later",
            host=SERVER_ADDRESS,
            source=cable.client_socket,
        )
        for stream_id, transports in (("s", TRANSPORTS), ("later", (SOCKET_IO, POLLING, PLAIN)))
        for transport in transports
        for _ in range(LISTENERS_EACH)
    ]
