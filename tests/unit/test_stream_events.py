"""What happens to streams is reported, with the epoch that it happened to."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.memory import InMemoryCatalogStore
from asf.application.stream_events import StreamEvents
from asf.domain.errors import AsfError, CatalogUnavailable
from asf.domain.streaming.audience_changes import AudienceEvent
from asf.domain.streams.catalog import Announcement
from asf.domain.streams.stream import AudioStream, StreamState
from asf.domain.webhooks.event import EventType, StreamEvent
from tests.support.virtual import VirtualServer


class Reporter:
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.events: list[StreamEvent] = []

    def report(self, event: StreamEvent) -> None:
        self.events.append(event)


def reporting(server: VirtualServer) -> tuple[StreamEvents, list[StreamEvent]]:
    """Return what passes events of the server on, and the list to which it does."""
    reporter = Reporter()
    return StreamEvents(server.catalog, server.clock, reporter), reporter.events


@pytest.mark.parametrize("event", AudienceEvent)
def test_events_of_the_audience_have_the_current_epoch(event: AudienceEvent) -> None:
    """None before there is one."""
    server = VirtualServer({"s": b"audio"})
    events, reported = reporting(server)
    for stream_id in ("s", "unknown"):
        events.audience_changed(event, stream_id)
    kind, now = EventType(f"stream.{event}"), server.clock.timestamp()
    epoch = server.catalog.find("s").epoch
    assert reported == [StreamEvent(kind, "s", epoch, now, {}), StreamEvent(kind, "unknown", None, now, {})]


def test_an_epoch_that_cannot_be_looked_up_is_missing(caplog: pytest.LogCaptureFixture) -> None:
    """The event is reported all the same."""

    class BrokenStore(InMemoryCatalogStore):
        def get(self, stream_id: str) -> AudioStream | None:  # noqa: ARG002 - it fails for all
            raise CatalogUnavailable("Redis is unreachable.")

    events, reported = reporting(VirtualServer(store=BrokenStore()))
    events.audience_changed(AudienceEvent.FIRST_LISTENER, "s")
    assert [event.epoch for event in reported] == [None]
    assert "The epoch of stream 's' cannot be reported: Redis is unreachable." in caplog.text


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["one", "two"]),
            st.sampled_from([*StreamState, "give up", "end", "renew", "delete", "forget"]),
            st.sampled_from(["a", "b", None]),
        ),
        max_size=15,
    )
)
def test_each_end_is_reported_once(steps: list[tuple[str, StreamState | str, str | None]]) -> None:
    """Whatever is announced, uploaded, given up and deleted: each time that a stream becomes complete or failed.

    The end of each epoch, too.
    """
    server = VirtualServer({})
    _, reported = reporting(server)
    epochs: list[tuple[str, str | None]] = []
    server.catalog.on_epoch_end.connect(lambda stream_id, epoch: epochs.append((stream_id, epoch)))
    expected: list[tuple[str, str, StreamState]] = []
    for stream_id, step, name in steps:
        before = server.store.get(stream_id)
        try:
            if step == "delete":
                server.catalog.delete(stream_id)
            elif isinstance(step, StreamState):
                locator = None if name is None else server.catalog.locate(name)
                server.catalog.announce(Announcement(stream_id, locator, step, reason="why"))
            elif before is not None:
                server.clock.advance(1000.0)
                change: dict[str, Callable[[AudioStream], object]] = {
                    "give up": lambda stream: server.catalog.give_up(stream, 120.0),
                    "end": lambda stream: server.catalog.end(stream, StreamState.COMPLETE),
                    "renew": server.catalog.renew,
                    "forget": server.catalog.forget,
                }
                change[step](before)
        except AsfError:
            pass
        after = server.store.get(stream_id)
        current = None if after is None else after.epoch
        assert epochs == ([(stream_id, current)] if before is not None and before.epoch != current else [])
        epochs.clear()
        if after is not None and after.state is not StreamState.GENERATING:
            known = None if before is None else (before.epoch, before.state)
            if known != (after.epoch, after.state):
                expected.append((stream_id, after.epoch, after.state))
                assert reported[-1].details == {"state": after.state, "reason": after.reason}
    found = [(event.stream_id, event.epoch, StreamState(event.details["state"])) for event in reported]
    assert found == expected
    assert all(event.type is EventType.ENDED for event in reported)
