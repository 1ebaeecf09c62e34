"""What every `CatalogStore` promises."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from asf.domain.errors import CatalogFull
from asf.domain.streams.ports import CatalogStore
from asf.domain.streams.stream import AudioStream, FileLocator, StreamState
from tests.support.examples import examples
from tests.support.processes import eventually

stream_ids = st.sampled_from(["a", "b", "strm_ü", "with space", "x" * 255])
streams = st.builds(
    AudioStream,
    stream_id=stream_ids,
    locator=st.builds(FileLocator, st.sampled_from(["/audio/one.mp3", "/audio/two.mp3", "/audio/drei ä.mp3"])),
    state=st.sampled_from(StreamState),
    epoch=st.sampled_from(["", "first", "second"]),
    content_type=st.none() | st.just("audio/mpeg"),
    metadata=st.none() | st.just({}) | st.just({"title": "Über alles", "tags": ["a", 1, None]}),
    reason=st.none() | st.just("out of voice"),
    announced_at=st.floats(0, 2e9),
)


MAX_STREAMS = 10_000
ONE = AudioStream("strm_1", FileLocator("/audio/one.mp3"))
TWO = AudioStream("strm_1", FileLocator("/audio/two.mp3"))


def keep(store: CatalogStore, stream: AudioStream) -> None:
    """Let the store keep `stream`, whatever was there."""
    assert store.put(stream, store.get(stream.stream_id), MAX_STREAMS)


class CatalogStoreContract:
    """Inherit, and provide the fixture `make_store`, which returns an empty store at each call."""

    @pytest.fixture
    def make_store(self) -> Callable[[], CatalogStore]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, make_store: Callable[[], CatalogStore]) -> CatalogStore:
        return make_store()

    def test_what_was_put_can_be_got(self, store: CatalogStore) -> None:
        assert store.put(ONE, None, MAX_STREAMS)
        assert store.get("strm_1") == ONE

    def test_what_was_not_put_is_none(self, store: CatalogStore) -> None:
        assert store.get("strm_1") is None

    def test_putting_again_replaces(self, store: CatalogStore) -> None:
        keep(store, ONE)
        assert store.put(TWO, ONE, MAX_STREAMS)
        assert store.get("strm_1") == TWO

    def test_only_what_was_expected_is_replaced(self, store: CatalogStore) -> None:
        keep(store, ONE)
        for unexpected in (None, TWO, replace(ONE, epoch="another")):
            assert not store.put(replace(TWO, epoch="later"), unexpected, MAX_STREAMS)
        assert not store.put(AudioStream("other", FileLocator("/audio/one.mp3")), ONE, MAX_STREAMS)
        assert store.get("strm_1") == ONE
        assert store.get("other") is None
        assert store.size() == 1

    def test_only_what_was_expected_is_deleted(self, store: CatalogStore) -> None:
        assert not store.delete(ONE)
        keep(store, ONE)
        assert not store.delete(TWO)
        assert store.get("strm_1") == ONE

    def test_the_last_place_can_be_taken_and_kept(self, store: CatalogStore) -> None:
        assert store.put(ONE, None, 1)
        with pytest.raises(CatalogFull):
            store.put(AudioStream("strm_2", FileLocator("/audio/two.mp3")), None, 1)
        assert store.put(TWO, ONE, 1)
        assert store.size() == 1

    def test_tells_of_what_is_followed_in_order(self, store: CatalogStore) -> None:
        told: list[AudioStream | None] = []
        store.on_change = lambda stream_id, stream: told.append(stream) if stream_id == "strm_1" else None
        assert store.follow("strm_1") is None
        expected: list[AudioStream | None] = [ONE, TWO, None, ONE]
        keep(store, ONE)
        keep(store, AudioStream("other", FileLocator("/audio/one.mp3")))
        keep(store, TWO)
        store.put(ONE, None, MAX_STREAMS)
        store.delete(TWO)
        keep(store, ONE)
        eventually(lambda: len(told) >= len(expected))
        assert told == expected
        assert store.follow("strm_1") == ONE
        store.unfollow("strm_1")
        store.unfollow("never followed")

    def test_checking_changes_nothing(self, store: CatalogStore) -> None:
        store.check()
        keep(store, ONE)
        store.check()
        assert store.get("strm_1") == ONE
        assert sum(store.count().values()) == 1

    def test_closing_twice_does_no_harm(self, store: CatalogStore) -> None:
        keep(store, ONE)
        store.close()
        store.close()

    def test_behaves_like_a_dictionary(  # noqa: C901 - a rule for each operation
        self, make_store: Callable[[], CatalogStore]
    ) -> None:
        class Machine(RuleBasedStateMachine):
            def __init__(self) -> None:
                super().__init__()
                self.store = make_store()
                self.model: dict[str, AudioStream] = {}

            @rule(stream=streams)
            def put(self, stream: AudioStream) -> None:
                assert self.store.put(stream, self.model.get(stream.stream_id), MAX_STREAMS)
                self.model[stream.stream_id] = stream

            @rule(stream=streams, instead_of=st.none() | streams)
            def put_instead(self, stream: AudioStream, instead_of: AudioStream | None) -> None:
                expected = self.model.get(stream.stream_id) == instead_of
                assert self.store.put(stream, instead_of, MAX_STREAMS) == expected
                if expected:
                    self.model[stream.stream_id] = stream

            @rule(stream_id=stream_ids)
            def get(self, stream_id: str) -> None:
                assert self.store.get(stream_id) == self.model.get(stream_id)

            @rule(stream_id=stream_ids)
            def delete(self, stream_id: str) -> None:
                stream = self.model.pop(stream_id, None)
                assert stream is None or self.store.delete(stream)

            @rule(stream=streams)
            def delete_expected(self, stream: AudioStream) -> None:
                expected = self.model.get(stream.stream_id) == stream
                assert self.store.delete(stream) == expected
                if expected:
                    del self.model[stream.stream_id]

            @rule(limit=st.integers(1, 6), after=st.sampled_from(["", "a", "strm", "z"]))
            def page(self, limit: int, after: str) -> None:
                behind = [self.model[stream_id] for stream_id in sorted(self.model) if stream_id > after]
                assert self.store.page(limit, after) == behind[:limit]

            @invariant()
            def count(self) -> None:
                assert self.store.size() == len(self.model)
                counted = {state: count for state, count in self.store.count().items() if count}
                assert counted == Counter(stream.state for stream in self.model.values())

        run_state_machine_as_test(Machine, settings=settings(max_examples=examples(30), deadline=None))
