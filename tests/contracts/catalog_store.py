"""What every `CatalogStore` promises."""

import threading
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
from tests.support.bounds import PATIENCE_SECONDS
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
OTHER = AudioStream("other", FileLocator("/audio/one.mp3"))
LAST = AudioStream("last", FileLocator("/audio/one.mp3"))


class Recorder:
    """A watcher that records what it is called with."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, AudioStream | None]] = []

    def __call__(self, stream_id: str, stream: AudioStream | None) -> None:
        self.changes.append((stream_id, stream))

    def of(self, stream_id: str) -> list[AudioStream | None]:
        """Return the changes of one stream."""
        return [stream for changed_id, stream in self.changes if changed_id == stream_id]


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

    def test_what_is_known_at_once_is_stored(self, store: CatalogStore) -> None:
        """Whatever was read before."""
        for stream, before in ((ONE, None), (TWO, ONE)):
            assert store.put(stream, before, MAX_STREAMS)
            assert store.peek("strm_1") in (None, stream)
            assert store.get("strm_1") == stream
            assert store.peek("strm_1") in (None, stream)
        assert store.delete(TWO)
        assert store.peek("strm_1") is None

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
        assert sum(store.count().values()) == 1

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
        assert sum(store.count().values()) == 1

    def test_changes_are_reported_in_order(self, store: CatalogStore) -> None:
        """Those of a followed stream, made by this server too, each of them."""
        recorder = Recorder()
        store.on_change.connect(recorder)
        assert store.follow("strm_1") is None
        expected: list[AudioStream | None] = [ONE, TWO, None, ONE]
        keep(store, ONE)
        keep(store, TWO)
        assert not store.put(ONE, None, MAX_STREAMS)
        assert store.delete(TWO)
        keep(store, ONE)
        eventually(lambda: len(recorder.changes) >= len(expected))
        assert recorder.of("strm_1") == expected
        assert store.follow("strm_1") == ONE
        store.unfollow("strm_1")

    def test_only_streams_that_are_followed_are_reported(self, store: CatalogStore) -> None:
        """Neither those that never were, nor those that are no longer."""
        recorder = Recorder()
        store.on_change.connect(recorder)
        store.follow("strm_1")
        store.follow("strm_1")
        store.follow("last")
        keep(store, OTHER)
        keep(store, ONE)
        eventually(lambda: recorder.changes)
        store.unfollow("strm_1")
        store.unfollow("strm_1")
        store.unfollow("never followed")
        keep(store, TWO)
        assert store.delete(TWO)
        keep(store, LAST)
        eventually(lambda: recorder.of("last"))
        assert recorder.changes == [("strm_1", ONE), ("last", LAST)]

    def test_a_stream_that_is_followed_again_is_reported_again(self, store: CatalogStore) -> None:
        """With what it is by then."""
        recorder = Recorder()
        store.on_change.connect(recorder)
        store.follow("strm_1")
        store.unfollow("strm_1")
        keep(store, ONE)
        assert store.follow("strm_1") == ONE
        keep(store, TWO)
        eventually(lambda: ("strm_1", TWO) in recorder.changes)
        assert recorder.of("strm_1") in ([TWO], [ONE, TWO])  # A value may be reported that was returned already.

    def test_a_watcher_that_raises_fails_nobody_else(
        self, store: CatalogStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The change is made all the same, `put` and `delete` return, and later changes are reported."""
        recorder = Recorder()

        def watch(stream_id: str, stream: AudioStream | None) -> None:
            recorder(stream_id, stream)
            raise RuntimeError("broken watcher")

        store.on_change.connect(watch)
        store.follow("strm_1")
        assert store.put(ONE, None, MAX_STREAMS)
        assert store.get("strm_1") == ONE
        assert store.delete(ONE)
        assert store.get("strm_1") is None
        keep(store, TWO)
        eventually(lambda: len(recorder.changes) == 3)
        assert recorder.of("strm_1") == [ONE, None, TWO]
        eventually(lambda: caplog.text.count("RuntimeError: broken watcher") == 3)

    def test_a_watcher_that_waits_gets_one_change_at_a_time(self, store: CatalogStore) -> None:
        """Further changes of the same stream can be made meanwhile, and those of others are reported."""
        recorder = Recorder()
        proceed, threads = threading.Event(), []

        def watch(stream_id: str, stream: AudioStream | None) -> None:
            recorder(stream_id, stream)
            if stream == ONE:
                assert proceed.wait(PATIENCE_SECONDS)

        store.on_change.connect(watch)
        for stream_id in ("strm_1", "last"):
            store.follow(stream_id)
        threads.append(threading.Thread(target=keep, args=(store, ONE), daemon=True))
        threads[0].start()
        eventually(lambda: recorder.changes)
        threads.append(threading.Thread(target=keep, args=(store, TWO), daemon=True))
        threads[1].start()
        threads[1].join(PATIENCE_SECONDS)
        assert not threads[1].is_alive()
        assert store.get("strm_1") == TWO
        keep(store, LAST)
        eventually(lambda: recorder.of("last"))
        assert recorder.of("strm_1") == [ONE]
        proceed.set()
        eventually(lambda: len(recorder.changes) == 3)
        assert recorder.of("strm_1") == [ONE, TWO]
        threads[0].join(PATIENCE_SECONDS)

    def test_no_older_value_is_reported_than_was_returned(self, store: CatalogStore) -> None:
        """Its change was on its way, while the watcher was busy with an earlier one."""
        first, second, third = (replace(ONE, announced_at=number) for number in (1.0, 2.0, 3.0))
        reported = self._reported_around(store, first, second, third)
        assert reported == [first, third]

    def test_a_deletion_on_its_way_is_not_reported_of_the_stream_that_was_returned(self, store: CatalogStore) -> None:
        """Listeners of the one that is announced under the same id would be told that it is gone."""
        first, second = (replace(ONE, announced_at=number) for number in (1.0, 2.0))
        reported = self._reported_around(store, first, None, second)
        assert reported[0] == first
        assert set(map(repr, reported[1:])) == {repr(second)}

    def _reported_around(
        self, store: CatalogStore, first: AudioStream, *changes: AudioStream | None
    ) -> list[AudioStream | None]:
        """Return what is reported when `changes` are made, and the last one returned, while `first` is reported."""
        recorder = Recorder()
        proceed = threading.Event()

        def watch(stream_id: str, stream: AudioStream | None) -> None:
            recorder(stream_id, stream)
            if stream == first:
                assert proceed.wait(PATIENCE_SECONDS)

        store.on_change.connect(watch)
        store.follow("strm_1")
        thread = threading.Thread(target=keep, args=(store, first), daemon=True)
        thread.start()
        eventually(lambda: recorder.changes)
        for change in changes:
            if change is None:
                assert store.delete(first)
            else:
                keep(store, change)
        assert store.follow("strm_1") == changes[-1]
        proceed.set()
        thread.join(PATIENCE_SECONDS)
        eventually(lambda: recorder.changes[-1] == ("strm_1", changes[-1]))
        store.unfollow("strm_1")
        return recorder.of("strm_1")

    def test_what_a_watcher_is_called_with_is_stored(self, store: CatalogStore) -> None:
        """It may ask the store itself."""
        seen: list[AudioStream | None] = []
        store.on_change.connect(lambda stream_id, _stream: seen.append(store.get(stream_id)))
        store.follow("strm_1")
        keep(store, ONE)
        eventually(lambda: seen)
        assert seen == [ONE]

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
            def peek(self, stream_id: str) -> None:
                assert self.store.peek(stream_id) in (None, self.model.get(stream_id))

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
                counted = {state: count for state, count in self.store.count().items() if count}
                assert counted == Counter(stream.state for stream in self.model.values())

        run_state_machine_as_test(Machine, settings=settings(max_examples=examples(30), deadline=None))
