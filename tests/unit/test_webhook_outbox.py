"""Events wait in a bounded outbox: in the order of their stream, for a bounded time, each until it is decided."""

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from asf.domain.webhooks.event import EventType, StreamEvent
from asf.domain.webhooks.outbox import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    LONGEST_REQUESTED_SECONDS,
    Delivery,
    Outbox,
)

MAX_EVENTS = 4
RETRY_SECONDS = 100.0


def event(stream_id: str = "s") -> StreamEvent:
    """Return an event."""
    return StreamEvent(EventType.ENDED, stream_id, "epoch", 0.0, {})


def make_outbox(retry_seconds: float = RETRY_SECONDS, jitter: float = 1.0) -> Outbox:
    """Return an empty outbox."""
    return Outbox(MAX_EVENTS, retry_seconds, lambda: jitter)


def take(outbox: Outbox, now: float) -> Delivery:
    """Return the delivery that is due."""
    delivery = outbox.take(now)
    assert delivery is not None
    return delivery


class OutboxMachine(RuleBasedStateMachine):
    """Whatever is added, attempted and answered, in any order and at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.outbox = make_outbox(jitter=0.75)
        self.number = 0
        self.waiting: dict[str, list[str]] = defaultdict(list)
        self.under_way: list[Delivery] = []
        self.attempted: set[str] = set()

    @rule(stream_id=st.sampled_from("abc"))
    def add(self, stream_id: str) -> None:
        self.number += 1
        event_id = f"msg_{self.number}"
        is_full = sum(map(len, self.waiting.values())) >= MAX_EVENTS
        assert self.outbox.add(event(stream_id), event_id, self.now) != is_full
        if not is_full:
            self.waiting[stream_id].append(event_id)

    @rule()
    def attempt(self) -> None:
        delivery = self.outbox.take(self.now)
        if delivery is not None:
            assert delivery.event_id == self.waiting[delivery.event.stream_id][0]
            assert delivery.event.stream_id not in {one.event.stream_id for one in self.under_way}
            self.under_way.append(delivery)

    @precondition(lambda self: self.under_way)
    @rule(index=st.integers(0, 9), pause=st.none() | st.floats(0, 1000), final=st.booleans(), works=st.booleans())
    def settle(self, index: int, pause: float | None, *, final: bool, works: bool) -> None:
        delivery = self.under_way.pop(index % len(self.under_way))
        self.attempted.add(delivery.event_id)
        if works:
            self.outbox.succeed(delivery, self.now)
            is_kept = False
        else:
            is_kept = self.outbox.fail(delivery, self.now, pause, final=final)
            assert not (is_kept and final)
            assert not is_kept or self.now <= delivery.since + RETRY_SECONDS
        if not is_kept:
            self.waiting[delivery.event.stream_id].pop(0)

    @rule(seconds=st.floats(0, 50))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def nothing_is_lost(self) -> None:
        ids = [event_id for events in self.waiting.values() for event_id in events]
        assert len(self.outbox) == len(ids)
        assert self.outbox.untried == len([one for one in ids if one not in self.attempted])

    @invariant()
    def what_waits_will_be_attempted(self) -> None:
        streams = {stream_id for stream_id, ids in self.waiting.items() if ids}
        idle = streams - {one.event.stream_id for one in self.under_way}
        assert (self.outbox.next_time is None) == (not idle)
        if self.outbox.next_time is not None:
            assert self.outbox.next_time <= self.now + LONGEST_REQUESTED_SECONDS


TestOutboxMachine = OutboxMachine.TestCase


def test_an_event_is_attempted_at_once() -> None:
    """And once, while that is under way."""
    outbox = make_outbox()
    assert (len(outbox), outbox.next_time) == (0, None)
    outbox.add(event(), "msg_1", 5.0)
    assert (len(outbox), outbox.next_time) == (1, 5.0)
    assert outbox.take(4.9) is None
    assert take(outbox, 5.0).event_id == "msg_1"
    assert outbox.take(1e9) is None


def test_streams_do_not_wait_for_each_other() -> None:
    """The events of one stream do."""
    outbox = make_outbox()
    for number, stream_id in enumerate("aab"):
        outbox.add(event(stream_id), f"msg_{number}", 0.0)
    first, other = take(outbox, 0.0), take(outbox, 0.0)
    assert [first.event_id, other.event_id] == ["msg_0", "msg_2"]
    assert outbox.take(0.0) is None
    outbox.fail(first, 0.0)
    assert outbox.take(0.5) is None
    again = take(outbox, 1.0)
    assert again is first
    outbox.succeed(again, 1.0)
    assert take(outbox, 1.0).event_id == "msg_1"


@given(st.floats(0.5, 1))
def test_pauses_double_up_to_a_minute(jitter: float) -> None:
    """Less what chance takes off, until the time is over."""
    outbox = make_outbox(retry_seconds=3600.0, jitter=jitter)
    outbox.add(event(), "msg_1", 0.0)
    now, times = 0.0, [0.0]
    while outbox.fail(take(outbox, now), now):
        assert outbox.next_time is not None
        now = outbox.next_time
        times.append(now)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    expected = [min(FIRST_PAUSE_SECONDS * 2**number, LONGEST_PAUSE_SECONDS) * jitter for number in range(len(pauses))]
    assert pauses == pytest.approx(expected)
    assert 3600.0 - LONGEST_PAUSE_SECONDS < times[-1] <= 3600.0
    assert len(outbox) == 0


@pytest.mark.parametrize(("asked", "due"), [(None, 1.0), (0.0, 1.0), (30.0, 30.0), (1e9, LONGEST_REQUESTED_SECONDS)])
def test_the_receiver_may_ask_for_a_longer_pause(asked: float | None, due: float) -> None:
    """Not for a shorter one, nor for ever."""
    outbox = make_outbox(retry_seconds=1000.0)
    outbox.add(event(), "msg_1", 0.0)
    assert outbox.fail(take(outbox, 0.0), 0.0, asked)
    assert outbox.next_time == due


def test_one_attempt_only() -> None:
    """ASF_WEBHOOK_RETRY_SECONDS=0, or a receiver that wants it no more."""
    for outbox, is_final in ((make_outbox(retry_seconds=0.0), False), (make_outbox(), True)):
        outbox.add(event(), "msg_1", 0.0)
        assert not outbox.fail(take(outbox, 0.0), 0.0, final=is_final)
        assert (len(outbox), outbox.next_time) == (0, None)
