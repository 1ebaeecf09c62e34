"""How many listen to a stream, up to which byte they need it, and when the first and the last one are reported."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asf.domain.errors import AsfError, NoSession, Unauthorized
from asf.domain.identifiers import MAX_OFFSET
from asf.domain.streaming.ahead import MAX_AHEAD_BYTES
from asf.domain.streaming.audience import SESSIONS_PER_LOOK, Demand
from asf.domain.streaming.audience_changes import AudienceChanges, AudienceEvent
from asf.domain.streams.stream import StreamState
from tests.support.frames import mp3_of
from tests.support.virtual import ScriptedTokens, VirtualServer

GROWN_BYTES = 100_000
TEN_MINUTES = mp3_of((128, 600.0)).data
BYTES_PER_SECOND = 16_000
AHEAD_SECONDS = 120.0
GRACE = 10.0

STREAM_IDS = ("growing", "complete", "unknown")
LISTENER_IDS = ("anna", "ben", "carl")


def growing_server(audio: bytes = b"\0" * GROWN_BYTES, **options: float) -> VirtualServer:
    """Return a server with a stream `s` whose audio grows."""
    server = VirtualServer({"audio": audio}, **options)  # type: ignore[arg-type]
    server.announce("s", "audio", StreamState.GENERATING)
    return server


def demand_for(server: VirtualServer, stream_id: str = "s") -> Demand:
    """Return what the listeners of a stream need of its current epoch."""
    epoch = server.catalog.find(stream_id).epoch
    return Demand.of(server.audience.count(stream_id), server.audience.needs(stream_id), epoch)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["join", "leave", "disconnect", "pass", "announce", "end"]),
            st.sampled_from(LISTENER_IDS),
            st.sampled_from(STREAM_IDS),
        ),
        max_size=30,
    )
)
def test_the_counts_are_those_of_the_sessions(steps: list[tuple[str, str, str]]) -> None:
    """Whatever listeners and backends do: those that have joined, or wait, and have not ended, by stream."""
    server = VirtualServer({"growing": b"\0" * 5000, "complete": b"\0" * 5000})
    server.announce("growing", "growing", StreamState.GENERATING)
    for action, listener_id, stream_id in steps:
        try:
            match action:
                case "join":
                    server.join(stream_id, listener_id, wait=True)
                case "leave":
                    server.service.leave(listener_id)
                case "disconnect":
                    server.service.disconnect(listener_id)
                case "announce":
                    server.announce(stream_id, "growing", StreamState.GENERATING)
                case "end":
                    server.announce(stream_id, "growing")
                case _:
                    server.run(1.0)
        except (NoSession, AsfError):
            pass
        sessions = server.service._sessions.values()  # noqa: SLF001 - what is counted
        expected = Counter(session.stream_id for session in sessions)
        assert {one: server.audience.count(one) for one in server.audience.stream_ids()} == expected


def test_a_rejected_join_does_not_count() -> None:
    """Nor does one that is still being looked up: strangers can ask for any id."""
    server = VirtualServer({})
    with pytest.raises(AsfError):
        server.join("unknown")
    assert server.audience.stream_ids() == []


def test_without_a_token_nobody_counts() -> None:
    """Where tokens are required, and none is sent."""
    server = VirtualServer({}, tokens=ScriptedTokens({}))
    with pytest.raises(Unauthorized):
        server.join("unknown", wait=True)
    assert server.audience.stream_ids() == []


def test_nobody_needs_what_nobody_listens_to() -> None:
    """Without listeners there is no offset."""
    assert demand_for(growing_server()) == Demand(0, None)


def test_complete_audio_needs_no_generation() -> None:
    """Its listeners count all the same; those of growing audio need nothing more from the moment when it ends."""
    server = growing_server()
    server.join("s")
    assert demand_for(server).needed_until is not None
    server.announce("s", "audio")
    assert demand_for(server) == Demand(1, None)


@pytest.mark.parametrize(
    ("request_fields", "expected"),
    [
        ({"window": 5000}, 5000),
        ({"window": 5000, "offset": 90_000}, 95_000),
        ({"window": MAX_OFFSET}, MAX_OFFSET),
        ({"offset": MAX_OFFSET - 5}, MAX_OFFSET),
        ({"offset": 200_000}, 200_000 + MAX_AHEAD_BYTES),
        ({"paced": False}, GROWN_BYTES + MAX_AHEAD_BYTES),
        ({"paced": False, "stop": 150_000}, 150_000),
    ],
)
def test_what_a_listener_needs(request_fields: dict[str, Any], expected: int) -> None:
    """Its window, the end of its range, or 4 MiB more than it was sent."""
    server = growing_server()
    server.join("s", **request_fields)
    server.run(1.0)
    assert demand_for(server) == Demand(1, expected)


def test_a_window_moves_with_what_is_acknowledged() -> None:
    """Not with what is sent."""
    server = growing_server()
    server.join("s", window=5000)
    server.run(1.0)
    server.service.acknowledge("listener", 4096)
    server.run(1.0)
    assert demand_for(server).needed_until == 9096


def test_the_one_that_is_ahead_of_all_others_counts() -> None:
    """And one that leaves takes its need along."""
    server = growing_server()
    for number in range(3):
        server.join("s", f"listener-{number}", window=1000 * (number + 1))
    assert demand_for(server) == Demand(3, 3000)
    server.service.disconnect("listener-2")
    assert demand_for(server) == Demand(2, 2000)


def test_listeners_that_wait_count_for_the_epoch_that_comes() -> None:
    """They are there before their stream is, and need its beginning."""
    server = VirtualServer({"audio": b""})
    server.join("s", wait=True)
    assert server.audience.count("s") == 1
    assert Demand.of(1, server.audience.needs("s"), "any") == Demand(1, MAX_AHEAD_BYTES)
    server.announce("s", "audio", StreamState.GENERATING)
    assert demand_for(server) == Demand(1, MAX_AHEAD_BYTES)


def test_listeners_of_an_earlier_epoch_need_nothing_of_this_one() -> None:
    """They finish on the audio that they have joined, and learn of the new one then."""
    server = VirtualServer({"audio": b"\0" * GROWN_BYTES, "other": b""})
    server.announce("s", "audio")
    server.join("s", paced=False, capacity=10)
    server.announce("s", "other", StreamState.GENERATING)
    assert demand_for(server) == Demand(1, None)
    server.join("s", "another", window=77)
    assert demand_for(server) == Demand(2, 77)


def test_many_listeners_are_looked_at_in_turns() -> None:
    """Other tasks run in between, and may end some of them."""
    server = growing_server()
    for number in range(2 * SESSIONS_PER_LOOK + 1):
        server.join("s", f"listener-{number}", window=number + 1)
    ended: list[int] = []

    def end_one() -> None:
        server.service.disconnect(f"listener-{len(ended)}")
        ended.append(1)

    server.meanwhile = end_one
    assert demand_for(server).needed_until == 2 * SESSIONS_PER_LOOK + 1
    assert len(ended) == 2


class TestAheadOfRealTime:
    """Where the rate of the audio is known, and no window is granted."""

    def test_as_much_is_needed_as_would_be_sent(self) -> None:
        """The audio ends at 20 s: 120 s from the start are needed, and as many more as have been heard."""
        server = growing_server(TEN_MINUTES[: 20 * BYTES_PER_SECOND])
        server.join("s")
        server.run(0.5)
        until = demand_for(server).needed_until
        assert until == pytest.approx((AHEAD_SECONDS + 0.5) * BYTES_PER_SECOND, rel=0.01)
        server.run(10.0)
        assert demand_for(server).needed_until == pytest.approx((AHEAD_SECONDS + 10.5) * BYTES_PER_SECOND, rel=0.01)

    def test_it_is_what_is_sent_if_it_is_there(self) -> None:
        """An agent that is far ahead: the listener is sent up to that byte, within a batch."""
        server = growing_server(TEN_MINUTES)
        listener = server.join("s", keeps=False)
        for _ in range(5):
            server.run(40.0)
            until = demand_for(server).needed_until
            assert until is not None
            assert 0 <= until - listener.received_bytes <= server.pace.batch_bytes
            assert until < len(TEN_MINUTES)

    def test_a_player_that_ran_dry_needs_all_of_it_again(self) -> None:
        """It stands still: what comes is played from then on."""
        server = growing_server(TEN_MINUTES[: 20 * BYTES_PER_SECOND])
        server.join("s")
        server.run(300.0 - 195.0)
        dry = 20 * BYTES_PER_SECOND
        assert demand_for(server).needed_until == pytest.approx(dry + AHEAD_SECONDS * BYTES_PER_SECOND, rel=0.01)

    def test_nothing_more_is_needed_during_a_pause(self) -> None:
        """What was needed when it began, however long it lasts."""
        server = growing_server(TEN_MINUTES)
        server.join("s", keeps=False)
        server.run(30.0)
        server.service.pause("listener")
        before = demand_for(server)
        server.run(1000.0)
        assert demand_for(server) == before

    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.floats(0.1, 60), min_size=2, max_size=6))
    def test_it_never_shrinks_while_the_audio_plays(self, pauses: list[float]) -> None:
        """An agent that has generated up to it has generated nothing in vain as long as the listener stays."""
        server = growing_server(TEN_MINUTES)
        server.join("s", keeps=False)
        found = []
        for seconds in pauses:
            server.run(seconds)
            found.append(demand_for(server).needed_until or 0)
        assert all(later >= earlier - server.pace.batch_bytes for earlier, later in pairwise(found))
        assert all(one <= MAX_AHEAD_BYTES + BYTES_PER_SECOND * sum(pauses) for one in found)

    def test_never_more_than_4_mib(self) -> None:
        """At 320 kbit/s that is less than 120 s."""
        server = growing_server(mp3_of((320, 20.0)).data)
        server.join("s")
        server.run(3.0)
        assert demand_for(server).needed_until == pytest.approx(MAX_AHEAD_BYTES + 3.0 * 40_000, rel=0.01)

    def test_without_a_limit_4_mib_more(self) -> None:
        """ASF_AHEAD_SECONDS=0."""
        server = growing_server(TEN_MINUTES[:GROWN_BYTES], ahead_seconds=0.0)
        server.join("s")
        server.run(5.0)
        assert demand_for(server).needed_until == GROWN_BYTES + MAX_AHEAD_BYTES


class TestChanges:
    """When there is a first listener, and when the last one has left."""

    def test_each_is_reported_once(self) -> None:
        """Further listeners change nothing, nor does time."""
        changes = AudienceChanges(GRACE)
        assert changes.update("s", 1, 0.0) is AudienceEvent.FIRST_LISTENER
        assert changes.update("s", 2, 1.0) is None
        assert changes.update("s", 0, 2.0) is None
        assert changes.next_time == pytest.approx(2.0 + GRACE)
        assert changes.take_due(11.9) is None
        assert changes.take_due(12.0) == "s"
        assert (changes.take_due(99.0), changes.next_time) == (None, None)
        assert changes.update("s", 1, 100.0) is AudienceEvent.FIRST_LISTENER

    def test_a_listener_that_comes_back_in_time_has_not_left(self) -> None:
        """The time counts from when the last one left."""
        changes = AudienceChanges(GRACE)
        changes.update("s", 1, 0.0)
        changes.update("s", 0, 1.0)
        assert changes.update("s", 1, 10.9) is None
        assert changes.take_due(1000.0) is None
        changes.update("s", 0, 1000.0)
        changes.update("s", 0, 1009.0)
        assert changes.take_due(1010.0) == "s"

    @given(
        st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.floats(0, 2 * GRACE)), max_size=30),
    )
    def test_they_alternate_and_say_what_is(self, steps: list[tuple[str, int, float]]) -> None:
        """Of each stream, whatever the counts are: it has been silent for the grace before the last listener left."""
        changes, now = AudienceChanges(GRACE), 0.0
        silent_since: dict[str, float] = {}
        listened: set[str] = set()
        for stream_id, listeners, seconds in steps:
            now += seconds
            while (left := changes.take_due(now)) is not None:
                assert left in listened
                assert now - silent_since[left] >= GRACE
                listened.remove(left)
            for one in listened:
                assert one not in silent_since or now - silent_since[one] < GRACE
            event = changes.update(stream_id, listeners, now)
            if listeners:
                silent_since.pop(stream_id, None)
                assert (event is not None) == (stream_id not in listened)
                listened.add(stream_id)
            else:
                assert event is None
                silent_since.setdefault(stream_id, now)
