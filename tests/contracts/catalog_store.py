"""What every `CatalogStore` promises."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from asf.domain import AudioStream, FileLocator
from asf.domain.ports import CatalogStore

stream_ids = st.sampled_from(["a", "b", "strm_ü", "with space", "x" * 255])
paths = st.sampled_from(["/audio/one.mp3", "/audio/two.mp3", "/audio/drei ä.mp3"])


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

    def test_behaves_like_a_dictionary(self, make_store: Callable[[], CatalogStore]) -> None:
        class Machine(RuleBasedStateMachine):
            def __init__(self) -> None:
                super().__init__()
                self.store = make_store()
                self.model: dict[str, AudioStream] = {}

            @rule(stream_id=stream_ids, path=paths)
            def put(self, stream_id: str, path: str) -> None:
                stream = AudioStream(stream_id, FileLocator(path))
                self.store.put(stream)
                self.model[stream_id] = stream

            @rule(stream_id=stream_ids)
            def get(self, stream_id: str) -> None:
                assert self.store.get(stream_id) == self.model.get(stream_id)

            @invariant()
            def count(self) -> None:
                assert self.store.count() == len(self.model)

        run_state_machine_as_test(Machine, settings=settings(max_examples=30, deadline=None))
