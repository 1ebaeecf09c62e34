"""What every `CatalogStore` promises."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from asf.domain import AudioStream, FileLocator, StreamState
from asf.domain.ports import CatalogStore

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


class CatalogStoreContract:
    """Inherit, and provide the fixture `make_store`, which returns an empty store at each call."""

    @pytest.fixture
    def make_store(self) -> Callable[[], CatalogStore]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, make_store: Callable[[], CatalogStore]) -> CatalogStore:
        return make_store()

    def test_what_was_put_can_be_got(self, store: CatalogStore) -> None:
        stream = AudioStream("strm_1", FileLocator("/audio/one.mp3"))
        store.put(stream)
        assert store.get("strm_1") == stream

    def test_what_was_not_put_is_none(self, store: CatalogStore) -> None:
        assert store.get("strm_1") is None

    def test_putting_again_replaces(self, store: CatalogStore) -> None:
        store.put(AudioStream("strm_1", FileLocator("/audio/one.mp3")))
        store.put(AudioStream("strm_1", FileLocator("/audio/two.mp3")))
        assert store.get("strm_1") == AudioStream("strm_1", FileLocator("/audio/two.mp3"))

    def test_checking_changes_nothing(self, store: CatalogStore) -> None:
        store.check()
        stream = AudioStream("strm_1", FileLocator("/audio/one.mp3"))
        store.put(stream)
        store.check()
        assert store.get("strm_1") == stream
        assert sum(store.count().values()) == 1

    def test_behaves_like_a_dictionary(self, make_store: Callable[[], CatalogStore]) -> None:
        class Machine(RuleBasedStateMachine):
            def __init__(self) -> None:
                super().__init__()
                self.store = make_store()
                self.model: dict[str, AudioStream] = {}

            @rule(stream=streams)
            def put(self, stream: AudioStream) -> None:
                self.store.put(stream)
                self.model[stream.stream_id] = stream

            @rule(stream_id=stream_ids)
            def get(self, stream_id: str) -> None:
                assert self.store.get(stream_id) == self.model.get(stream_id)

            @rule(stream_id=stream_ids)
            def delete(self, stream_id: str) -> None:
                assert self.store.delete(stream_id) == (self.model.pop(stream_id, None) is not None)

            @rule(limit=st.integers(1, 6), after=st.sampled_from(["", "a", "strm", "z"]))
            def page(self, limit: int, after: str) -> None:
                behind = [self.model[stream_id] for stream_id in sorted(self.model) if stream_id > after]
                assert self.store.page(limit, after) == behind[:limit]

            @invariant()
            def count(self) -> None:
                assert self.store.size() == len(self.model)
                counted = {state: count for state, count in self.store.count().items() if count}
                assert counted == Counter(stream.state for stream in self.model.values())

        run_state_machine_as_test(Machine, settings=settings(max_examples=30, deadline=None))
