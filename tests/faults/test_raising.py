"""Parts that raise what nobody expects of them: the audio, the catalog, the way to a listener, the metrics."""

from collections import Counter

import pytest

from asf.domain.streaming.batch_cache import MAX_CACHED_BYTES
from tests.support.audience import (
    HTTP,
    TRANSPORTS,
    Audience,
    LightListener,
    disturbed,
    longest_gap,
    lost_bytes,
)
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.bursts import Backend, Watcher
from tests.support.fixtures import audio_of
from tests.support.footprint import MEMORY_TOLERANCE_BYTES, footprint_after_use, wait_until_back
from tests.support.ledger import Ledger
from tests.support.processes import ServerProcess, eventually

AUDIO = audio_of(200_000)

HTTP_BYTES_PER_SECOND = 2_000_000
QUIET_BYTES_PER_SECOND = 800_000
"""At the pace of the other transports, so that each round goes as fast."""

MEMORY_TOLERANCE = MEMORY_TOLERANCE_BYTES + 2 * MAX_CACHED_BYTES
"""The audio is longer here: the allocator keeps what its cache took, and the frames that were rendered of that."""

NAMES = {
    "audio": "audio source that raises",
    "catalog": "catalog that raises",
    "emitter": "emitter of a listener that raises",
    "metrics": "metrics that raise",
}
RATES = {"audio": 0.3, "catalog": 0.3, "emitter": 0.1, "metrics": 0.3}
WHOM_IT_CONCERNS = {
    "audio": "Affected listeners receive ASF_INTERNAL_ERROR at their offset, and every byte once after resuming",
    "catalog": "Affected listeners receive ASF_INTERNAL_ERROR at their offset, and every byte once after resuming",
    "emitter": "Affected listeners receive ASF_INTERNAL_ERROR, or are disconnected if it cannot be sent, and receive "
    "every byte once after resuming",
    "metrics": "No listener is affected",
}


def make_quiet_audio() -> bytes:
    """Return audio that lasts."""
    return audio_of(40_000_000, seed=2)


@pytest.mark.parametrize("part", NAMES)
def test_a_part_raises_at_random(failing_server: ServerProcess, ledger: Ledger, soak: bool, part: str) -> None:
    """Whom it concerns is told or cut off, and loses nothing by coming back; the others do not notice."""
    server = failing_server
    before = footprint_after_use(server)
    server.announce("broken", AUDIO)
    quiet_audio = make_quiet_audio()
    server.announce("quiet", quiet_audio)
    outcomes: Counter[str] = Counter()
    others: list[LightListener] = []
    with Audience() as audience:
        left = [broken_listener(server, transport) for transport in TRANSPORTS]
        while left:
            quiet = audience.join(*[quiet_listener(server, transport, quiet_audio) for transport in TRANSPORTS])
            audience.hear_on(quiet)
            server.break_parts(**{part: RATES[part]})
            # The others begin anew where theirs would end before this does.
            while left and all(listener.offset < len(quiet_audio) // 2 for listener in quiet):
                outcomes += _listen_once(audience, left, part)
                audience.hear_on(quiet)
                goes_on = outcomes.total() < (1000 if soak else 16)
                left = [
                    broken_listener(server, listener.transport) if listener.ended else listener
                    for listener in left
                    if goes_on or not listener.ended
                ]
            server.break_parts()
            audience.leap(quiet, left=100_000)
            audience.wait_for_all()
            others += quiet
    failures = server.failures()[part]
    assert failures > 0
    assert disturbed(others) == []
    lost = lost_bytes(listener for listener in audience.listeners if listener.ended)
    assert lost == 0
    assert part != "metrics" or set(outcomes) == {"whole"}
    back = wait_until_back(server, before, memory_tolerance=MEMORY_TOLERANCE)
    ledger.note(
        f"{NAMES[part]} at random",
        tried=failures,
        unit="exceptions",
        must_hold=f"{WHOM_IT_CONCERNS[part]}; the others receive every byte.",
        lost=lost,
        measured=f"{outcomes['told']} notified, {outcomes['cut']} disconnected, {outcomes['whole']} complete; "
        f"longest gap of the others {longest_gap(others):.2f} s; {back}",
    )


def quiet_listener(server: ServerProcess, transport: str, audio: bytes) -> LightListener:
    """Return a listener that is not concerned."""
    return LightListener(server.port, "quiet", audio, transport, http_bytes_per_second=QUIET_BYTES_PER_SECOND)


def broken_listener(server: ServerProcess, transport: str) -> LightListener:
    """Return a listener of the stream that is concerned."""
    return LightListener(
        server.port, "broken", AUDIO, transport, returns=False, http_bytes_per_second=HTTP_BYTES_PER_SECOND
    )


def _listen_once(audience: Audience, listeners: list[LightListener], part: str) -> Counter[str]:
    """Let listeners listen from where they are, until each was told something or cut off. Returns what happened."""
    for listener in listeners:
        listener.error = None
        listener.breaks = 0
        listener.done.clear()
    audience.join(*listeners)
    outcomes: Counter[str] = Counter()
    for listener in listeners:
        assert listener.done.wait(PATIENCE_SECONDS), f"{listener.transport} at {listener.offset}: silence"
        if listener.error is not None:
            assert listener.error["error_code"] == "ASF_INTERNAL_ERROR"
            # Over HTTP it is the answer to a request, else an event.
            assert listener.error.get("offset", listener.offset) == listener.offset
        may_be_cut = part == "emitter" or (part == "audio" and listener.transport == HTTP)
        assert listener.ended or listener.error is not None or may_be_cut
        outcomes["whole" if listener.ended else "cut" if listener.error is None else "told"] += 1
    return outcomes


def test_the_way_to_subscribers_raises_at_random(failing_server: ServerProcess, ledger: Ledger, soak: bool) -> None:
    """The backend is told, the connection is broken off, and what was kept follows as it comes back."""
    server = failing_server
    before = footprint_after_use(server)
    watchers = [Watcher(server.url, "alice") for _ in range(3)]
    eventually(lambda: all(watcher.items for watcher in watchers))
    sent = 0

    def send(_number: int) -> bool:
        nonlocal sent
        sent += 1
        # A 500 says that a connection was broken off; the update itself is kept.
        return server.send_ui_update("alice", "n", sent).status_code in {200, 500}

    server.break_parts(ui_emitter=0.02)
    with Backend(send):
        goal = 20_000 if soak else 1_500
        while sent <= goal:
            before_now = sent
            eventually(lambda: sent > before_now)  # noqa: B023 - used at once
    server.break_parts()
    eventually(lambda: all(watcher.latest == sent for watcher in watchers), 2 * PATIENCE_SECONDS)
    lost = sum(watcher.lost(set(range(1, sent + 1))) for watcher in watchers)
    assert lost == 0
    failures = server.failures()["ui_emitter"]
    assert failures > 0
    told = sum(watcher.told_missed for watcher in watchers)
    assert told == 0
    for watcher in watchers:
        watcher.close(server)
    back = wait_until_back(server, before)
    ledger.note(
        "emitter of UI updates that raises at random",
        tried=failures,
        unit="exceptions",
        must_hold="Every update reaches every subscriber once and in order, on this connection or the next.",
        lost=lost,
        measured=f"{sent} updates to {len(watchers)} subscribers; {back}",
    )
