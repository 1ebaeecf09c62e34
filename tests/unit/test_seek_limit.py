"""Bursts of seeks: in virtual time."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.domain.errors import NoSession
from asf.domain.streaming.events import StartOfStream
from asf.domain.streaming.seek_limit import INTERVAL_SECONDS, SEEKS_AT_ONCE, SEEKS_PER_SECOND, SeekLimit
from tests.support.virtual import FETCHED_BYTES, FetchedAudioSources, ScriptedListener, VirtualServer

AUDIO = random.Random(3).randbytes(100_000)


def is_delayed(server: VirtualServer) -> bool:
    """Return whether a seek is delayed."""
    return server.seeks.next_time is not None


def offsets_of(listener: ScriptedListener) -> list[int]:
    """Return where the session began, and where each seek led that took effect."""
    return [event.offset for event in listener.events if isinstance(event, StartOfStream)]


@given(
    st.lists(
        st.tuples(st.integers(0, len(AUDIO)), st.sampled_from([0.0, 0.0, 0.01, 0.1, 1.0, 30.0]), st.booleans()),
        min_size=1,
        max_size=200,
    )
)
def test_the_last_seek_takes_effect(seeks: list[tuple[int, float, bool]]) -> None:
    """Within one interval, whatever the rate of the seeks; no more of them take effect than the rate permits."""
    server = VirtualServer({"s": AUDIO}, 4096, 0.05)
    listener = server.join("s")
    began = server.clock.time
    for offset, seconds, resumes in seeks:
        server.service.seek("listener", offset)
        if resumes:
            server.service.resume("listener")
        made = len(offsets_of(listener)) - 1
        assert made <= SEEKS_AT_ONCE + (server.clock.time - began) * SEEKS_PER_SECOND + 1e-6
        server.run(seconds)
        if len(server.service) == 0:
            server.join("s")
            return
    server.run(INTERVAL_SECONDS)
    last = seeks[-1][0]
    assert offsets_of(listener)[-1] == last
    received_before = len(listener.received)
    server.run_until_idle()
    assert listener.received.endswith(AUDIO[last:])
    assert len(listener.received) >= received_before
    assert not is_delayed(server)


def test_few_blocks_are_fetched_for_many_seeks() -> None:
    """One for each seek that takes effect, however many there are."""
    sources = FetchedAudioSources({"s": AUDIO})
    server = VirtualServer(sources=sources, chunk_bytes=FETCHED_BYTES, chunk_seconds=1.0)
    server.announce("s")
    listener = server.join("s")
    for number in range(1900):
        server.service.seek("listener", number * 13 % len(AUDIO))
        server.run(0.0)
    asked = sum(len(source.asked) for source in sources.opened)
    assert asked <= 1 + SEEKS_AT_ONCE
    server.run(INTERVAL_SECONDS)
    assert sum(len(source.asked) for source in sources.opened) <= asked + 1
    assert offsets_of(listener)[-1] == 1899 * 13 % len(AUDIO)


def test_nothing_is_sent_while_a_seek_is_delayed() -> None:
    """The listener does not want it; nor does the session end meanwhile."""
    server = VirtualServer({"s": AUDIO}, 4096, 0.01)
    listener = server.join("s")
    for _ in range(SEEKS_AT_ONCE):
        server.service.seek("listener", len(AUDIO) - 4096)
    server.service.seek("listener", 0)
    received = len(listener.received)
    server.run(INTERVAL_SECONDS / 2)
    assert len(listener.received) == received
    server.run_until_idle()
    assert listener.received[received:] == AUDIO


def test_a_delayed_seek_is_one_of_its_session() -> None:
    """It is dropped when the session ends, and does not move the next one; the rate remains."""
    server = VirtualServer({"s": AUDIO}, 4096, 1.0)
    server.join("s")
    for _ in range(SEEKS_AT_ONCE + 1):
        server.service.seek("listener", 5000)
    assert is_delayed(server)
    server.service.leave("listener")
    assert not is_delayed(server)
    with pytest.raises(NoSession):
        server.service.seek("listener", 1)
    again = server.join("s")
    server.service.seek("listener", 7000)
    assert offsets_of(again) == [0]
    server.run(INTERVAL_SECONDS)
    assert offsets_of(again) == [0, 7000]


def test_a_session_that_waits_seeks_without_limit() -> None:
    """It fetches nothing yet."""
    server = VirtualServer({})
    listener = server.join("s", wait=True)
    for number in range(2 * SEEKS_AT_ONCE):
        server.service.seek("listener", number)
    assert not is_delayed(server)
    assert listener.kinds == ["waiting"]


def test_listeners_within_the_rate_are_forgotten() -> None:
    """Memory is bounded by how many seek now, not by how many ever have."""
    limit = SeekLimit()
    made: list[int] = []
    for number in range(1000):
        limit.make(f"l{number}", float(number), lambda: made.append(1))
    assert len(made) == 1000
    assert len(limit) == 1
