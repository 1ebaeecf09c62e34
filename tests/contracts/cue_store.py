"""What every `CueStore` promises."""

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from asf.adapters.memory import InMemoryAudioSources, InMemoryCatalogStore
from asf.domain.cues.cue import Cue, parse_cue
from asf.domain.cues.ports import CueStore
from asf.domain.cues.service import Cues
from asf.domain.cues.track import Accepted, TrackLimits
from asf.domain.errors import TooManyCues
from asf.domain.streams.catalog import Announcement, StreamCatalog
from asf.domain.streams.stream import FileLocator, StreamState
from tests.support.examples import examples
from tests.support.processes import eventually
from tests.support.virtual import ManualClock


class NoObserver:
    """Observes nothing."""

    def cues_accepted(self, count: int) -> None:
        """Do nothing."""


LIMITS = TrackLimits(20, 10_000)
STREAM, EPOCH = "strm ü/1", "first"

texts = st.text(st.characters(codec="utf-8"), max_size=20)
cues = st.builds(
    lambda start, more: parse_cue({"start": start, **more}),
    st.integers(0, 100),
    st.fixed_dictionaries({}, optional={"id": st.sampled_from(["a", "b", "ü", "x" * 255]), "text": texts}),
)


def cue(start: float, **fields: object) -> Cue:
    """Return a cue."""
    return parse_cue({"start": start, **fields})


def all_of(store: CueStore, epoch: str = EPOCH) -> list[tuple[int, str]]:
    """Return the numbers and the JSON of all cues of a track, page by page."""
    found: list[tuple[int, str]] = []
    while page := store.page(STREAM, epoch, found[-1][0] if found else 0, 3, 10_000).cues:
        found += [(stored.seq, stored.json) for stored in page]
    return found


class CueStoreContract:
    """Inherit, and provide the fixture `make_store`, which returns an empty store at each call."""

    @pytest.fixture
    def make_store(self) -> Callable[[], CueStore]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, make_store: Callable[[], CueStore]) -> CueStore:
        return make_store()

    def test_cues_are_numbered_in_the_order_in_which_they_were_stored(self, store: CueStore) -> None:
        stored = [cue(9, text="später"), cue(1, text="früher"), cue(1, text="früher")]
        assert store.append(STREAM, EPOCH, stored[:2], LIMITS) == 2
        assert store.append(STREAM, EPOCH, stored[2:], LIMITS) == 3
        assert all_of(store) == [(number, one.json) for number, one in enumerate(stored, 1)]

    def test_a_cue_with_the_same_id_replaces_the_earlier_one(self, store: CueStore) -> None:
        """Under a new number, in the same track only."""
        store.append(STREAM, EPOCH, [cue(1, id="a"), cue(2, id="b")], LIMITS)
        store.append(STREAM, "second", [cue(3, id="a")], LIMITS)
        assert store.append(STREAM, EPOCH, [cue(4, id="a"), cue(5, id="c")], LIMITS) == 3
        assert all_of(store) == [(2, cue(2, id="b").json), (3, cue(4, id="a").json), (4, cue(5, id="c").json)]
        assert all_of(store, "second") == [(1, cue(3, id="a").json)]

    def test_an_equal_cue_with_the_same_id_changes_nothing(self, store: CueStore) -> None:
        """A request that is repeated is not delivered twice."""
        for _ in range(2):
            assert store.append(STREAM, EPOCH, [cue(1, id="a", text="ü"), cue(2, id="b")], LIMITS) == 2
        assert [number for number, _ in all_of(store)] == [1, 2]

    @pytest.mark.parametrize("limits", [TrackLimits(2), TrackLimits(100, 40)])
    def test_beyond_a_limit_nothing_is_stored(self, store: CueStore, limits: TrackLimits) -> None:
        """What replaces others is not beyond it."""
        stored = [cue(1, id="a"), cue(2, id="b")]
        assert sum(one.size for one in stored) == 40
        store.append(STREAM, EPOCH, stored, limits)
        for too_many in ([cue(3)], [cue(4, id="a"), cue(5, id="c")]):
            with pytest.raises(TooManyCues):
                store.append(STREAM, EPOCH, too_many, limits)
        assert all_of(store) == [(number, one.json) for number, one in enumerate(stored, 1)]
        assert store.append(STREAM, EPOCH, [cue(6, id="a")], limits) == 2
        assert all_of(store) == [(2, cue(2, id="b").json), (3, cue(6, id="a").json)]

    def test_bytes_are_counted_in_utf_8(self, store: CueStore) -> None:
        wide = cue(1, id="a", text="ü" * 10)
        limits = TrackLimits(100, wide.size)
        assert wide.size == len(wide.json) + 10
        for number in (1, 2, 1):
            replacing = cue(number, id="a", text="ü" * 10)
            assert store.append(STREAM, EPOCH, [replacing], limits) == 1
        with pytest.raises(TooManyCues):
            store.append(STREAM, EPOCH, [cue(1, id="a", text="ü" * 10 + "u")], limits)

    def test_a_page_has_both_limits(self, store: CueStore) -> None:
        """And at least one cue, if there is one."""
        stored = [cue(number, text="ü" * 10) for number in range(5)]
        store.append(STREAM, EPOCH, stored, LIMITS)
        size = stored[0].size
        for max_cues, max_bytes, seqs in (
            (2, 10_000, [2, 3]),
            (9, 2 * size, [2, 3]),
            (9, 2 * size - 1, [2]),
            (9, 1, [2]),
        ):
            page = store.page(STREAM, EPOCH, 1, max_cues, max_bytes)
            assert [one.seq for one in page.cues] == seqs
            assert page.latest == 5
        assert store.page(STREAM, EPOCH, 5, 9, 10_000).cues == ()
        assert store.page(STREAM, EPOCH, 2**53 - 1, 9, 10_000).latest == 5

    def test_an_unknown_track_is_empty(self, store: CueStore) -> None:
        store.append(STREAM, EPOCH, [cue(1)], LIMITS)
        for stream_id, epoch in ((STREAM, "other"), ("other", EPOCH)):
            page = store.page(stream_id, epoch, 0, 9, 10_000)
            assert (page.cues, page.latest) == ((), 0)
            assert store.select(stream_id, epoch, [1]) == []

    def test_cues_are_selected_by_their_numbers(self, store: CueStore) -> None:
        store.append(STREAM, EPOCH, [cue(1, id="a"), cue(2), cue(3)], LIMITS)
        store.append(STREAM, EPOCH, [cue(4, id="a")], LIMITS)
        selected = store.select(STREAM, EPOCH, [4, 1, 2, 9])
        assert [(one.seq, one.json) for one in selected] == [(4, cue(4, id="a").json), (2, cue(2).json)]
        assert store.select(STREAM, EPOCH, []) == []

    def test_former_epochs_are_forgotten(self, store: CueStore) -> None:
        """Those that are named, and no others."""
        for epoch in ("first", "second", "third"):
            store.append(STREAM, epoch, [cue(number) for number in range(15)], LIMITS)
        store.append("other", "first", [cue(1)], LIMITS)
        assert set(store.epochs(STREAM)) == {"first", "second", "third"}
        store.forget(STREAM, ["first", "second", "unknown"])
        assert set(store.epochs(STREAM)) == {"third"}
        assert [len(all_of(store, epoch)) for epoch in ("first", "second", "third")] == [0, 0, 15]
        store.forget(STREAM, [])
        for _ in range(2):
            store.forget(STREAM, ["third"])
        assert all_of(store, "third") == []
        assert store.page("other", "first", 0, 1, 1).latest == 1
        assert store.append(STREAM, "third", [cue(1)], LIMITS) == 1
        assert all_of(store, "third") == [(1, cue(1).json)]

    @pytest.mark.parametrize("state", StreamState)
    def test_a_stream_that_is_announced_again_at_once_keeps_its_new_cues(
        self, store: CueStore, state: StreamState
    ) -> None:
        """What its deletion, or the end of its former epoch, still has to delete is of former epochs."""
        epochs = count()
        catalog = StreamCatalog(
            InMemoryCatalogStore(), InMemoryAudioSources({}), ManualClock(), lambda: f"{next(epochs)}", 10
        )
        added: list[Accepted] = []

        def announce_again(stream_id: str, _epoch: str | None) -> None:
            if len(added) < 2:
                catalog.announce(Announcement(stream_id, FileLocator(f"/{len(added)}.mp3"), state))
                added.append(service.add(stream_id, [cue(1)]))

        catalog.on_epoch_end.connect(announce_again)
        service = Cues(store, catalog, 10, NoObserver(), lambda: None)
        announce_again(STREAM, None)
        catalog.delete(STREAM)
        (current,) = {catalog.find(STREAM).epoch, added[1].epoch}
        assert all_of(store, current) == [(1, cue(1).json)]
        assert set(store.epochs(STREAM)) == {current}
        catalog.delete(STREAM)
        assert not store.epochs(STREAM)

    def test_new_cues_are_reported(self, store: CueStore) -> None:
        reported: list[tuple[str, str]] = []
        store.on_appended.connect(lambda stream_id, epoch: reported.append((stream_id, epoch)))
        store.append(STREAM, EPOCH, [cue(1)], LIMITS)
        eventually(lambda: reported)
        store.append("other", "second", [cue(1)], LIMITS)
        eventually(lambda: len(reported) > 1)
        assert reported == [(STREAM, EPOCH), ("other", "second")]

    def test_a_check_changes_nothing(self, store: CueStore) -> None:
        store.check()
        store.append(STREAM, EPOCH, [cue(1)], LIMITS)
        store.check()
        assert all_of(store) == [(1, cue(1).json)]

    def test_closing_twice_does_no_harm(self, store: CueStore) -> None:
        store.append(STREAM, EPOCH, [cue(1)], LIMITS)
        store.close()
        store.close()

    def test_behaves_like_a_list(self, make_store: Callable[[], CueStore]) -> None:
        """In which what has the same id is replaced, by an equal one where it is."""

        class Machine(RuleBasedStateMachine):
            def __init__(self) -> None:
                super().__init__()
                self.store = make_store()
                self.model: dict[int, Cue] = {}
                self.latest = 0

            @rule(added=st.lists(cues, min_size=1, max_size=8, unique_by=lambda one: one.id or id(one)))
            def append(self, added: list[Cue]) -> None:
                model, latest = dict(self.model), self.latest
                for one in added:
                    earlier = next((seq for seq, kept in model.items() if one.id and kept.id == one.id), None)
                    if earlier is not None and model.pop(earlier) == one:
                        model[earlier] = one
                        continue
                    latest += 1
                    model[latest] = one
                if len(model) > LIMITS.max_cues or sum(one.size for one in model.values()) > LIMITS.max_bytes:
                    with pytest.raises(TooManyCues):
                        self.store.append(STREAM, EPOCH, added, LIMITS)
                    return
                assert self.store.append(STREAM, EPOCH, added, LIMITS) == len(model)
                self.model, self.latest = dict(sorted(model.items())), latest

            @rule(seqs=st.lists(st.integers(1, 40), max_size=5, unique=True))
            def select(self, seqs: list[int]) -> None:
                selected = self.store.select(STREAM, EPOCH, seqs)
                assert [(one.seq, one.json) for one in selected] == [
                    (seq, self.model[seq].json) for seq in seqs if seq in self.model
                ]

            @invariant()
            def has_all(self) -> None:
                assert all_of(self.store) == [(seq, one.json) for seq, one in self.model.items()]
                assert self.store.page(STREAM, EPOCH, 0, 1, 1).latest == self.latest

        run_state_machine_as_test(Machine, settings=settings(max_examples=examples(30), deadline=None))
