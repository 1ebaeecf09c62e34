"""A wall clock that jumps, by hours and by little, ahead and back, while everything is under way.

The clock is that of the process (`time.time`), as the machine's own belongs to others. A time namespace
(time_namespaces(7)) would shift the monotonic clock and leave the wall clock what it is.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest
import requests
import websocket

from asf.adapters.jwt_tokens import JwtTokens
from asf.domain.access.grant import Grant
from tests.integration.test_ui_updates import Subscriber, has
from tests.support.audience import (
    LONG,
    LONG_AUDIO_BYTES,
    PLAIN,
    POLLING,
    SOCKET_IO,
    Audience,
    LightListener,
    longest_gap,
    lost_bytes,
    one_of_each,
)
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener
from tests.support.fixtures import StartServer, audio_of
from tests.support.footprint import footprint_after_use, wait_until_back
from tests.support.ledger import Ledger
from tests.support.processes import ServerProcess, eventually

KEY = "a-key-of-more-than-32-characters-to-sign-with"
SETTINGS = LONG | {
    "ASF_REQUIRE_TOKENS": "True",
    "ASF_SECRET_KEY": KEY,
    "ASF_JOIN_WAIT_SECONDS": "600",
    "ASF_STALL_SECONDS": "600",
    "TEST_PING_SECONDS": "0.5",
    # A busy machine answers late: a minute, over a plain WebSocket, too.
    "TEST_PONG_SECONDS": "60",
    "TEST_UNANSWERED_PINGS": "120",
}
GROWING_BYTES = 8192
"""What is added to the audio that is being made at each jump."""

LATE_AUDIO = audio_of(50_000)
HOUR = 3600.0
JUMPS = (2 * HOUR, 0.0, -2 * HOUR, 0.0, 0.5, -0.5, 0.0, 30 * 24 * HOUR, 0.0)
"""Where the clock is set, one after another: ahead of the machine's, in seconds."""

UPDATES = 5


def make_audio() -> bytes:
    """Return what is heard."""
    return audio_of(LONG_AUDIO_BYTES)


@pytest.mark.long
def test_the_wall_clock_jumps(start_server: StartServer, ledger: Ledger, soak: bool) -> None:
    """Sessions, tokens under way, waits, stalls, idempotency and history keep to the monotonic clock."""
    server = start_server(SETTINGS, observed=True)
    token = _token()
    before = footprint_after_use(server, token=token)
    rounds = 10 if soak else 1
    made = make_audio()[: 2 * len(JUMPS) * GROWING_BYTES]
    jumps = lost = 0
    gap = 0.0
    for number in range(rounds):
        server.announce("s", make_audio())
        growing = server.audio_root / f"growing-{number}.mp3"
        growing.write_bytes(b"")
        server.notify(growing.stem, str(growing), state="generating").raise_for_status()
        positions = [_send(server, number, seq) for seq in range(UPDATES)]
        with Audience() as audience:
            under_way = audience.join(*one_of_each(server.port, "s", make_audio(), token=token))
            audience.wait_until(lambda listener: listener.hears)
            told = [SOCKET_IO, POLLING, PLAIN]
            hungry = audience.join(
                *[LightListener(server.port, growing.stem, made, one, token=token) for one in told]
            )
            waiting = audience.join(
                *[
                    LightListener(server.port, f"later-{number}", LATE_AUDIO, one, token=token, wait=True)
                    for one in told
                ]
            )
            audience.wait_until(lambda listener: listener.statuses or listener.hears)
            written = 0
            for jump in JUMPS * 2:
                server.set_clock(jump)
                jumps += 1
                with growing.open("ab") as file:
                    written += file.write(made[written : written + GROWING_BYTES])
                audience.hear_on(under_way)
                eventually(lambda: all(listener.offset == written for listener in hungry))  # noqa: B023
            assert written == len(made)
            server.notify(growing.stem, str(growing)).raise_for_status()
            assert [listener.statuses for listener in waiting] == [["waiting"]] * len(waiting)
            server.announce(f"later-{number}", LATE_AUDIO)
            audience.leap(under_way)
            audience.wait_for_all()
        listeners = [*under_way, *hungry, *waiting]
        assert [listener.error for listener in listeners if listener.error] == []
        assert all(listener.ended and listener.breaks == 0 for listener in listeners)
        assert not any("stalled" in listener.statuses for listener in listeners)
        lost += lost_bytes(listeners)
        gap = max(gap, longest_gap(under_way))
        lost += _not_remembered(server, number, positions, token)
        since = {"epoch": positions[0]["epoch"], "seq": positions[0]["seq"] - 1}
        lost += UPDATES - asyncio.run(_recovered(server, since, token))
        server.set_clock(0)
    assert lost == 0
    back = wait_until_back(server, before)
    ledger.note(
        "wall clock jumps, by hours and by half a second, forward and back",
        tried=jumps,
        unit="jumps",
        must_hold="Listeners that play, that wait, or that follow growing audio receive every byte; no accepted "
        "token expires early; idempotency keys stay valid, and the history of UI updates is complete.",
        lost=lost,
        measured=f"longest gap {gap:.2f} s; {back}",
    )


def test_the_wall_clock_jumps_while_a_pong_is_due(start_server: StartServer, ledger: Ledger, soak: bool) -> None:
    """The connection lives on, and so do all that come after it; one that is gone is noticed in time."""
    # Who lives on may answer late: its machine is busy. Who is gone does not, at a server that waits for little.
    server = start_server({"TEST_PING_SECONDS": "0.5", "TEST_PONG_SECONDS": "60"}, observed=True)
    strict = start_server({"TEST_PING_SECONDS": "0.5"}, observed=True)
    rounds = 20 if soak else 1
    lost = 0
    for _ in range(rounds):
        for jump in (2 * HOUR, -2 * HOUR):
            strict.set_clock(jump)
            _vanish(strict)
            server.set_clock(jump)
            listener = WireListener(server.url, polling=False)
            assert listener.websocket is not None
            while listener.websocket.recv() != "2":
                pass
            server.set_clock(-jump)
            strict.set_clock(-jump)
            listener.emit("pause_stream")  # Nothing to pause: an answer, and the server looks at the ping before it.
            try:
                listener.receive_until("error")
            except (websocket.WebSocketException, OSError):
                lost += 1
            listener.close()
            server.set_clock(0)
            eventually(lambda: "asf_listeners 0.0" in strict.metrics())
            strict.set_clock(0)
    assert lost == 0
    ledger.note(
        "wall clock jumps while a pong is due",
        tried=2 * rounds,
        unit="jumps",
        must_hold="The connection stays open; a polling client that has disappeared is detected nevertheless.",
        lost=lost,
    )


def _vanish(server: ServerProcess) -> None:
    """Join over long polling, and never come back. Who joins so slowly that a pong is overdue does it again."""

    def has_joined() -> bool:
        with suppress(AssertionError, requests.HTTPError):
            vanished = WireListener(server.url, polling=True)
            vanished.emit("join_stream", {"stream_id": "later", "wait": True})
            vanished.close()
            return True
        return False

    eventually(has_joined)


def _not_remembered(server: ServerProcess, number: int, positions: list[dict[str, Any]], token: str) -> int:
    """Count the keys that the clock has made forgotten. A token is looked at anew whenever it comes."""
    forgotten = 0
    for shift in (2 * HOUR, -2 * HOUR):
        server.set_clock(shift)
        assert requests.get(
            server.stream_url("s"), params={"token": token}, timeout=PATIENCE_SECONDS
        ).status_code == (401 if shift > 0 else 200)
        again = [_send(server, number, seq) for seq in range(UPDATES)]
        forgotten += sum(not answer["duplicate"] for answer in again)
        assert [answer["seq"] for answer in again] == [answer["seq"] for answer in positions]
    return forgotten


def _token() -> str:
    return JwtTokens(KEY).mint(Grant("alice", int(time.time() + HOUR), frozenset({"*"}), frozenset({"*"})))


def _send(server: ServerProcess, number: int, seq: int) -> dict[str, Any]:
    """Send an update under a key of its own, and return the answer."""
    body = {"client_id": "alice", "event_name": "n", "data": seq, "idempotency_key": f"{number}-{seq}"}
    answer = requests.post(f"{server.url}/asf/internal/send_ui_update", json=body, timeout=PATIENCE_SECONDS)
    answer.raise_for_status()
    result: dict[str, Any] = answer.json()
    return result


async def _recovered(server: ServerProcess, since: dict[str, Any], token: str) -> int:
    """Return how many updates a subscriber is sent that was away since then."""
    async with Subscriber(server.url, ["websocket"]) as tab:
        await tab.subscribe({"client_id": "alice", "since": since, "token": token})
        await tab.until(has("subscribed_ui_updates"))
        # Updates may have come with it.
        (confirmation,) = [event[1] for event in tab.events if event[0] == "subscribed_ui_updates"]
        if not confirmation.get("recovered", True):
            return 0
        await tab.until(lambda events: len([event for event in events if event[0] == "n"]) >= UPDATES)
        return len([event for event in tab.events if event[0] == "n"])
