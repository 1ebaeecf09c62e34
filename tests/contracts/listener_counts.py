"""What every `ListenerCounts` promises."""

from collections.abc import Callable
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asf.domain.streaming.audience import Demand
from asf.domain.streaming.audience_changes import AudienceChanges, AudienceEvent
from asf.domain.streaming.listener_counts import ListenerCounts
from asf.domain.streams.stream import StreamState
from tests.support.examples import examples
from tests.support.virtual import VirtualServer

GRACE = 10.0
AUDIO = b"\0" * 1000
STREAM_IDS = ("s", "strm_ü with space")


class Node:
    """A server whose listeners are counted. `look` shares its counts and reports what has happened by its clock."""

    def __init__(self, counts: ListenerCounts, look: Callable[[float], object], *, reports: bool = True) -> None:
        self.server = VirtualServer({"audio": AUDIO})
        for stream_id in STREAM_IDS:
            self.server.announce(stream_id, "audio", StreamState.GENERATING)
        self.counts = counts
        self.events: list[tuple[AudienceEvent, str]] = []
        self._look = look
        counts.connect(self.server.audience, self._record if reports else None)

    def join(self, listener_id: str = "anna", stream_id: str = "s", window: int = 500) -> None:
        """Let a listener join."""
        self.server.join(stream_id, listener_id, window=window)
        self.look()

    def leave(self, listener_id: str = "anna") -> None:
        """Let a listener disconnect."""
        self.server.service.disconnect(listener_id)
        self.look()

    def after(self, seconds: float) -> None:
        """Let time pass."""
        self.server.clock.advance(seconds)
        self.look()

    def look(self) -> None:
        """Share the counts, and report."""
        self._look(self.server.clock.time)

    def demand(self, stream_id: str = "s") -> Demand:
        """Return what is needed of the current epoch."""
        return self.counts.demand(stream_id, self.server.catalog.find(stream_id).epoch)

    def _record(self, event: AudienceEvent, stream_id: str) -> None:
        self.events.append((event, stream_id))


class MakeNode(Protocol):
    """Makes the node of a new cluster of one."""

    def __call__(self, *, reports: bool = True) -> Node: ...


FIRST, LEFT = (AudienceEvent.FIRST_LISTENER, "s"), (AudienceEvent.LAST_LISTENER_LEFT, "s")


class ListenerCountsContract:
    """Needs a fixture `make_node`."""

    def test_the_demand_of_this_node(self, make_node: MakeNode) -> None:
        """At once, without a heartbeat."""
        node = make_node()
        assert node.demand() == Demand(0, None)
        node.server.join("s", "anna", window=500)
        node.server.join("s", "ben", window=700)
        assert node.demand() == Demand(2, 700)
        assert node.demand(STREAM_IDS[1]) == Demand(0, None)
        node.server.service.disconnect("ben")
        assert node.demand() == Demand(1, 500)

    def test_each_event_is_reported_once(self, make_node: MakeNode) -> None:
        """The first of several, and the last."""
        node = make_node()
        node.join("anna")
        node.join("ben")
        node.leave("anna")
        node.after(100.0)
        assert node.events == [FIRST]
        node.leave("ben")
        node.after(GRACE - 1)
        assert node.events == [FIRST]
        node.after(1.5)
        node.after(100.0)
        assert node.events == [FIRST, LEFT]
        node.join("anna")
        assert node.events == [FIRST, LEFT, FIRST]

    def test_a_listener_that_comes_back_has_not_left(self, make_node: MakeNode) -> None:
        """Within the grace; it starts again when the listener leaves again."""
        node = make_node()
        node.join()
        node.leave()
        node.after(GRACE - 1)
        node.join()
        node.after(100.0)
        node.leave()
        node.after(GRACE - 1)
        assert node.events == [FIRST]
        node.after(1.5)
        assert node.events == [FIRST, LEFT]

    def test_without_anyone_to_report_to(self, make_node: MakeNode) -> None:
        """Only the demand is found."""
        node = make_node(reports=False)
        node.join()
        assert node.demand() == Demand(1, 500)
        node.leave()
        node.after(100.0)
        assert node.events == []

    def test_a_report_that_fails_disturbs_no_other(
        self, make_node: MakeNode, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is logged."""
        node = make_node()
        record, reported = node._record, node.events  # noqa: SLF001
        node.events = None  # type: ignore[assignment]
        node.join("anna")
        node.events = reported
        record(*FIRST)
        node.join("ben", STREAM_IDS[1])
        assert (AudienceEvent.FIRST_LISTENER, STREAM_IDS[1]) in node.events
        assert "of stream 's' failed" in caplog.text

    def test_events_are_those_of_the_rule(self, make_node: MakeNode) -> None:
        """`AudienceChanges`, whatever listeners do: each step joins or leaves, and then time passes."""

        @settings(max_examples=examples(20), deadline=None)
        @given(
            st.lists(
                st.tuples(st.sampled_from(["anna", "ben", None]), st.sampled_from(STREAM_IDS), st.integers(0, 15)),
                max_size=12,
            )
        )
        def check(steps: list[tuple[str | None, str, int]]) -> None:
            _check_steps(make_node(), steps)

        check()


def _check_steps(node: Node, steps: list[tuple[str | None, str, int]]) -> None:
    rule = AudienceChanges(GRACE)
    expected: list[tuple[AudienceEvent, str]] = []
    streams: dict[str, str] = {}
    for listener_id, stream_id, seconds in steps:
        if listener_id is None:
            for one in list(streams):
                del streams[one]
                node.server.service.disconnect(one)
        else:
            streams[listener_id] = stream_id
            node.server.join(stream_id, listener_id)
        node.look()
        for one in STREAM_IDS:
            event = rule.update(one, list(streams.values()).count(one), node.server.clock.time)
            expected += [(event, one)] if event else []
        node.after(seconds + 0.5)
        while (left := rule.take_due(node.server.clock.time)) is not None:
            expected.append((AudienceEvent.LAST_LISTENER_LEFT, left))
        assert sorted(node.events) == sorted(expected)
