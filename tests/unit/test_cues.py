"""Cues: what is accepted, and what becomes of the cues of an epoch that ends."""

import json
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.memory import InMemoryAudioSources, InMemoryCatalogStore
from asf.adapters.memory_cues import InMemoryCueStore
from asf.domain.cues import service
from asf.domain.cues.cue import MAX_CUE_BYTES, MAX_CUE_SECONDS, Cue, parse_cue
from asf.domain.cues.service import Cues
from asf.domain.errors import CuesUnavailable, EpochChanged, InvalidCue, InvalidStreamId, StreamNotFound, TooManyCues
from asf.domain.streams.catalog import Announcement, StreamCatalog
from asf.domain.streams.stream import FileLocator, StreamState
from tests.support.virtual import ManualClock

texts = st.text(st.characters(codec="utf-8"), max_size=50)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts, lambda inner: st.lists(inner, max_size=3)
)
times = st.integers(0, MAX_CUE_SECONDS) | st.floats(0, MAX_CUE_SECONDS)


@given(
    times,
    st.none() | times,
    st.dictionaries(st.sampled_from(["text", "id", "kind"]), st.text("aü<&>", min_size=1)),
    json_values,
)
def test_a_valid_cue_is_kept_as_it_was_posted(
    start: float, end: float | None, names: dict[str, str], data: object
) -> None:
    """Without fields that are unknown or null."""
    if end is not None and end < start:
        start, end = end, start
    cue = parse_cue({"start": start, "end": end, **names, "data": data, "more": 1})
    expected = {"start": start, **({} if end is None else {"end": end}), **names, "data": data}
    assert json.loads(cue.json) == expected
    assert (cue.start, cue.end, cue.id, cue.text, cue.kind) == (
        start,
        end,
        names.get("id"),
        names.get("text"),
        names.get("kind"),
    )
    assert cue.size == len(cue.json.encode())


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        (None, ""),
        ([], ""),
        ("text", ""),
        ({}, "start"),
        ({"start": None}, "start"),
        ({"start": "1"}, "start"),
        ({"start": True}, "start"),
        ({"start": -0.001}, "start"),
        ({"start": float("nan")}, "start"),
        ({"start": float("inf")}, "start"),
        ({"start": 10**400}, "start"),
        ({"start": MAX_CUE_SECONDS + 1}, "start"),
        ({"start": 1, "end": float("nan")}, "end"),
        ({"start": 1, "end": 0.999}, "end"),
        ({"start": 1, "end": "2"}, "end"),
        ({"start": 1, "end": 10**400}, "end"),
        ({"start": 1, "id": ""}, "id"),
        ({"start": 1, "id": 7}, "id"),
        ({"start": 1, "id": "x" * 256}, "id"),
        ({"start": 1, "id": "a\nb"}, "id"),
        ({"start": 1, "kind": " "}, "kind"),
        ({"start": 1, "kind": {}}, "kind"),
        ({"start": 1, "text": 5}, "text"),
        ({"start": 1, "text": "\ud800"}, ""),
        ({"start": 1, "data": "\ud800"}, ""),
        ({"start": 1, "data": float("nan")}, ""),
        ({"start": 1, "text": "x" * MAX_CUE_BYTES}, ""),
        ({"start": 1, "text": "ü" * (MAX_CUE_BYTES // 2)}, ""),
    ],
)
def test_an_invalid_cue_is_rejected(fields: Any, field: str) -> None:
    """The details name the field."""
    with pytest.raises(InvalidCue) as caught:
        parse_cue(fields)
    assert str(caught.value.details).startswith(f"{field}: " if field else "It ")


@pytest.mark.parametrize(
    "fields",
    [
        {"start": 0, "end": 0},
        {"start": MAX_CUE_SECONDS, "end": MAX_CUE_SECONDS},
        {"start": 1, "text": ""},
        {"start": 1, "text": "<b>\0\x1b\n\n-->\u2028"},
        {"start": 1, "text": "x" * (MAX_CUE_BYTES - len('{"start":1,"text":""}'))},
        {"start": 1, "data": None},
    ],
)
def test_cues_at_the_limits_are_accepted(fields: dict[str, Any]) -> None:
    """With markup and control characters, too."""
    assert json.loads(parse_cue(fields).json) == fields


class Station:
    """Cues of streams on in-memory adapters, at most five each."""

    def __init__(self) -> None:
        epochs = count(1)
        self.catalog = StreamCatalog(
            InMemoryCatalogStore(), InMemoryAudioSources({}), ManualClock(), lambda: f"epoch-{next(epochs)}", 1000
        )
        self.store = InMemoryCueStore()
        self.accepted: list[int] = []
        self.cues = Cues(self.store, self.catalog, 5, self, lambda: None)

    def cues_accepted(self, count: int) -> None:
        self.accepted.append(count)

    def announce(self, state: StreamState = StreamState.COMPLETE, stream_id: str = "s") -> str:
        return self.catalog.announce(Announcement(stream_id, FileLocator("/a.mp3"), state)).epoch

    def kept(self, epoch: str) -> list[str]:
        return [cue.json for cue in self.store.page("s", epoch, 0, 100, 100_000).cues]


@pytest.fixture
def station() -> Station:
    """Return streams with cues."""
    return Station()


def of(*starts: float, **fields: object) -> list[Cue]:
    """Return cues."""
    return [parse_cue({"start": start, **fields}) for start in starts]


def test_cues_belong_to_the_current_epoch(station: Station) -> None:
    """They are there as soon as the stream is announced, and gone when it is regenerated or deleted."""
    first = station.announce(StreamState.GENERATING)
    accepted = station.cues.add("s", of(9, 1))
    assert (accepted.accepted, accepted.total, accepted.epoch) == (2, 2, first)
    assert station.announce() == first
    assert station.cues.add("s", of(5), first).total == 3
    second = station.announce(StreamState.GENERATING)
    assert station.kept(first) == []
    with pytest.raises(EpochChanged) as caught:
        station.cues.add("s", of(1), first)
    assert caught.value.epoch == second
    assert station.cues.add("s", of(1), second).total == 1
    station.catalog.delete("s")
    assert station.kept(second) == []
    with pytest.raises(StreamNotFound):
        station.cues.add("s", of(1), second)
    assert station.accepted == [2, 1, 1]


@pytest.mark.parametrize("stream_id", ["a/audio", "a/cues", "/cues"])
def test_an_id_that_ends_like_a_route_has_no_cues(station: Station, stream_id: str) -> None:
    """Though it can be announced."""
    station.announce(stream_id=stream_id)
    with pytest.raises(InvalidStreamId, match="must not end in"):
        station.cues.add(stream_id, of(1))
    station.announce(stream_id="cues")
    assert station.cues.add("cues", of(1)).total == 1


def test_of_repeated_ids_the_last_one_counts(station: Station) -> None:
    """In one request, and over several. Cues without an id are all different."""
    epoch = station.announce()
    assert station.cues.add("s", of(1, 2, id="a") + of(3, 3) + of(4, id="a")).total == 3
    assert station.kept(epoch) == [cue.json for cue in of(3, 3) + of(4, id="a")]
    assert station.cues.add("s", of(5, id="a")).total == 3


def test_a_stream_has_a_limit(station: Station) -> None:
    """Beyond it nothing of the request is stored."""
    epoch = station.announce()
    station.cues.add("s", of(1, 2, 3, 4))
    with pytest.raises(TooManyCues, match="may have 5 cues"):
        station.cues.add("s", of(5, 6))
    assert len(station.kept(epoch)) == 4


def test_what_was_stored_in_an_epoch_that_had_ended_is_deleted(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream is regenerated, or deleted, while the cues are stored."""
    append = station.store.append
    for end in (lambda: station.announce(StreamState.GENERATING), lambda: station.catalog.delete("s")):
        epoch = station.announce()

        def append_late(*arguments: Any, end: Any = end) -> int:
            end()
            return append(*arguments)

        monkeypatch.setattr(station.store, "append", append_late)
        with pytest.raises((EpochChanged, StreamNotFound)):
            station.cues.add("s", of(1), epoch)
        assert station.kept(epoch) == []
    assert station.accepted == []


def test_a_stream_can_be_regenerated_although_its_cues_cannot_be_deleted(
    station: Station, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They belong to no epoch any more."""
    station.announce()
    station.cues.add("s", of(1))

    def fail(*_arguments: object) -> None:
        raise CuesUnavailable("broken")

    monkeypatch.setattr(station.store, "forget", fail)
    station.announce(StreamState.GENERATING)
    assert "broken" in caplog.text
    stream = station.catalog.find("s")
    assert station.cues.latest(stream) == 0


def test_cues_are_read_up_to_the_latest_of_the_beginning(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pages. What is replaced meanwhile has a later number; a track that is deleted is an error."""
    monkeypatch.setattr(service, "READ_CUES", 2)
    station.announce()
    station.cues.add("s", of(1, 2, 3) + of(4, id="a"))
    stream = station.catalog.find("s")
    reading = station.cues.read(stream, 1, station.cues.latest(stream))
    assert next(reading).seq == 2
    station.cues.add("s", of(5, id="a"))
    assert [cue.seq for cue in reading] == [3]
    reading = station.cues.read(stream, 0, station.cues.latest(stream))
    assert [next(reading).seq, next(reading).seq] == [1, 2]
    station.announce(StreamState.GENERATING)
    with pytest.raises(CuesUnavailable):
        list(reading)
    assert list(station.cues.read(stream, 7, 5)) == []
