"""Cues reach the listeners that asked for them: all of them, in order, once, and without holding anything up."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.memory import InMemoryAudioSource, InMemoryAudioSources
from asf.adapters.memory_cues import InMemoryCueStore
from asf.domain.cues import feed
from asf.domain.cues.feed import MAX_PIECE_BYTES, MAX_PIECE_CUES
from asf.domain.cues.piece_cache import PieceCache
from asf.domain.cues.track import CuePage, CuePiece
from asf.domain.errors import CuesUnavailable
from asf.domain.streaming.audio import UNKNOWN_CONTENT_TYPE
from asf.domain.streaming.events import StartOfStream
from asf.domain.streams.stream import Locator, StreamState
from tests.support.virtual import ScriptedListener, VirtualServer

AUDIO = bytes(range(250)) * 40


class BrokenStore(InMemoryCueStore):
    """A store that fails while `is_broken`, and counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.is_broken = False
        self.pages = 0
        self.while_reading: Callable[[], object] = lambda: None

    def page(self, stream_id: str, epoch: str, after: int, max_cues: int, max_bytes: int) -> CuePage:
        if self.is_broken:
            raise CuesUnavailable("broken")
        self.pages += 1
        page = super().page(stream_id, epoch, after, max_cues, max_bytes)
        self.while_reading()
        return page


@pytest.fixture
def store() -> BrokenStore:
    """Return a store."""
    return BrokenStore()


@pytest.fixture
def server(store: BrokenStore) -> VirtualServer:
    """Return a server with a stream that has ended, and one that is being generated."""
    server = VirtualServer({"s": AUDIO, "growing": AUDIO}, cue_store=store)
    server.announce("growing", state=StreamState.GENERATING)
    return server


def starts(listener: ScriptedListener) -> list[float]:
    """Return the times of the cues that were sent."""
    return [cue["start"] for cue in listener.cues]


def test_only_those_who_ask_receive_cues(server: VirtualServer) -> None:
    """What there is after the start of the stream, then what comes; each cue once."""
    server.post("growing", 3, 1)
    listener, other = server.join("growing", "one", cues=True), server.join("growing", "other")
    server.run(1)
    server.post("growing", 2)
    server.run(1)
    server.post("growing", 5, 4)
    server.run(1)
    assert [starts(listener), starts(other)] == [[3, 1, 2, 5, 4], []]
    assert [piece.seq for piece in listener.pieces] == [2, 3, 5]
    assert {(piece.stream_id, piece.epoch) for piece in listener.pieces} == {("growing", "epoch-3")}
    assert listener.kinds == ["joined", "StartOfStream"]
    assert len(server.cue_feeds) == 1
    for listener_id in ("one", "other"):
        server.service.leave(listener_id)
    assert len(server.cue_feeds) == 0


def test_a_listener_that_comes_back_receives_what_it_missed(server: VirtualServer) -> None:
    """And, with a number that is not one of this track, all of it."""
    server.post("growing", 1, 2, 3, 4)
    server.post("growing", 5, id="a")
    server.post("growing", 6, id="a")
    for since, expected in ((0, [1, 2, 3, 4, 6]), (3, [4, 6]), (5, [6]), (6, []), (7, [1, 2, 3, 4, 6])):
        listener = server.join("growing", cues=True, cues_since=since)
        server.run(1)
        assert starts(listener) == expected
    server.post("growing", 7)
    server.run(1)
    assert starts(listener) == [1, 2, 3, 4, 6, 7]


def test_cues_come_in_pieces(server: VirtualServer) -> None:
    """Bounded by number and by size; a single cue may be larger."""
    server.post("growing", *range(1200))
    listener = server.join("growing", cues=True)
    server.run(1)
    assert [piece.seq for piece in listener.pieces] == [500, 1000, 1200]
    assert MAX_PIECE_CUES == 500
    server.post("growing", 1, 2, text="x" * (MAX_PIECE_BYTES // 2 - 100))
    server.post("growing", 3, 4, text="x" * MAX_PIECE_BYTES)
    server.run(1)
    assert [piece.seq for piece in listener.pieces[3:]] == [1202, 1203, 1204]


def test_many_listeners_share_what_is_read(server: VirtualServer, store: BrokenStore) -> None:
    """Together, and one after another."""
    server.post("growing", *range(2200))
    listeners = [server.join("growing", f"{number}", cues=True) for number in range(100)]
    server.run(5)
    late = server.join("growing", "late", cues=True)
    server.run(5)
    server.post("growing", 5000)
    server.run(5)
    for listener in [*listeners, late]:
        assert starts(listener) == [*range(2200), 5000]
    assert len({id(piece) for listener in listeners for piece in listener.pieces}) < 10
    assert store.pages < 15


def test_cues_of_a_regenerated_stream_are_its_own(server: VirtualServer) -> None:
    """Who listens to the former audio keeps its cues; who waits, or comes later, receives those of the new one."""
    server.post("growing", 1)
    former = server.join("growing", "former", cues=True)
    server.run(1)
    server.announce("growing", "s", StreamState.GENERATING)
    server.post("growing", 2)
    later = server.join("growing", "later", cues=True)
    waiting = server.join("later", "waiting", cues=True, wait=True)
    server.run(1)
    server.announce("later", "s", StreamState.GENERATING)
    server.post("later", 3)
    server.run(1)
    assert [starts(one) for one in (former, later, waiting)] == [[1], [2], [3]]
    assert later.pieces[0].epoch != former.pieces[0].epoch


def test_the_end_of_the_stream_comes_after_the_cues(server: VirtualServer) -> None:
    """Those that there are when the audio has ended; later ones are for later listeners."""
    server.post("s", *range(1200))
    listener = server.join("s", cues=True, paced=False)
    assert listener.kinds == ["joined", "StartOfStream"]
    server.run_until_idle()
    assert starts(listener) == list(range(1200))
    assert listener.kinds == ["joined", "StartOfStream", "EndOfStream"]
    assert bytes(listener.received) == AUDIO
    server.post("s", 5000)
    later = server.join("s", cues=True, cues_since=1200, paced=False)
    server.run_until_idle()
    assert starts(later) == [5000]
    assert server.observer.outcomes == ["complete", "complete"]


def test_a_stream_without_cues_ends(server: VirtualServer) -> None:
    """For those who asked for some, too."""
    listener = server.join("s", cues=True, paced=False)
    server.run_until_idle()
    assert listener.kinds[-1] == "EndOfStream"
    assert listener.pieces == []


def test_cues_that_are_posted_all_the_time_do_not_keep_a_stream_from_ending(
    server: VirtualServer, store: BrokenStore
) -> None:
    """The end waits for those that there were."""
    server.post("s", 1)
    listener = server.join("s", cues=True, paced=False)
    store.while_reading = lambda: None if listener.kinds[-1] == "EndOfStream" else server.post("s", 2)
    server.run(1)
    assert listener.kinds[-1] == "EndOfStream"
    assert starts(listener)[:1] == [1]


def test_cues_that_cannot_be_read_hold_nothing_up(server: VirtualServer, store: BrokenStore) -> None:
    """The audio flows, and ends. The cues follow once they can be read."""
    server.post("growing", 1)
    store.is_broken = True
    ended = server.join("s", "ended", cues=True, paced=False)
    listener = server.join("growing", "growing", cues=True)
    times = 0

    def pause() -> None:
        nonlocal times
        times += 1
        for _ in range(3):
            server.pump.turn()
        assert ended.kinds[-1] == "EndOfStream"
        store.is_broken = times < 5

    server.pause = pause
    server.run(1)
    assert ended.kinds[-1] == "EndOfStream"
    assert bytes(listener.received) == AUDIO
    server.run(1)
    assert starts(listener) == [1]


def test_missing_messages_are_made_up_for(server: VirtualServer, store: BrokenStore) -> None:
    """After an interruption of the store, what listeners have not is read."""
    server.post("growing", 1)
    listener = server.join("growing", cues=True)
    server.run(1)
    silent = store.on_appended
    store.on_appended = type(silent)()
    server.post("growing", 2)
    server.run(1)
    assert starts(listener) == [1]
    store.on_appended = silent
    store.on_interrupted()
    server.run(1)
    assert starts(listener) == [1, 2]


def test_a_store_that_has_lost_cues_numbers_them_again(server: VirtualServer, store: BrokenStore) -> None:
    """Those that follow are sent; none is sent twice."""
    server.post("growing", 1, 2, 3)
    listener = server.join("growing", cues=True)
    server.run(1)
    store.forget("growing", store.epochs("growing"))
    server.post("growing", 1, 2)
    server.run(1)
    server.post("growing", 7)
    server.run(1)
    assert starts(listener) == [1, 2, 3, 7]


def test_new_cues_while_others_are_read_are_not_lost(server: VirtualServer, store: BrokenStore) -> None:
    """Whatever the order of the news and the answer."""
    posted = iter(range(2, 6))

    def post() -> None:
        for number in posted:
            server.post("growing", number)
            break

    store.while_reading = post
    server.post("growing", 1)
    listener = server.join("growing", cues=True)
    server.run(1)
    assert starts(listener) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("command", ["pause", "stall"])
def test_cues_come_although_no_audio_does(command: str) -> None:
    """The listener has paused, or the audio does not grow for a while."""
    audios = {"growing": AUDIO}
    server = VirtualServer(audios)
    server.announce("growing", state=StreamState.GENERATING)
    server.post("growing", 1)
    listener = server.join("growing", cues=True)
    if command == "pause":
        server.service.pause("listener")
    server.run(15 if command == "stall" else 1)
    assert listener.kinds[-1] == ("stalled" if command == "stall" else "paused")
    server.post("growing", 2)
    server.run(0.5)
    assert starts(listener) == [1, 2]
    audios["growing"] = AUDIO + AUDIO
    if command == "pause":
        server.service.resume("listener")
    server.run(5)
    assert bytes(listener.received) == AUDIO + AUDIO


def test_a_full_window_holds_back_no_cues(server: VirtualServer) -> None:
    """They are not acknowledged."""
    listener = server.join("growing", window=1000, cues=True)
    server.run(1)
    assert len(listener.received) == 1000
    server.post("growing", 1)
    server.run(1)
    assert starts(listener) == [1]
    assert len(listener.received) == 1000


def test_a_seek_changes_nothing_about_cues(server: VirtualServer) -> None:
    """Each is sent once."""
    server.post("growing", 1, 2)
    listener = server.join("growing", cues=True)
    server.run(1)
    server.service.seek("listener", 5000)
    server.run(1)
    server.post("growing", 3)
    server.run(1)
    assert starts(listener) == [1, 2, 3]
    assert [event.offset for event in listener.events if isinstance(event, StartOfStream)] == [0, 5000]


def test_a_blocked_listener_holds_one_piece(server: VirtualServer, store: BrokenStore) -> None:
    """The rest stays in the store until it reads. Others do not wait for it."""
    server.post("growing", *range(2200))
    blocked = server.join("growing", "blocked", capacity=20_000, cues=True)
    other = server.join("growing", "other", cues=True)
    server.run(5)
    pages = store.pages
    assert len(blocked.pieces) <= 2
    assert starts(other) == list(range(2200))
    server.run(5)
    assert store.pages == pages
    for _ in range(100):
        blocked.read(20_000)
        server.run(1)
    assert starts(blocked) == list(range(2200))
    assert bytes(blocked.received) == AUDIO


def test_a_listener_that_reads_nothing_is_dropped(server: VirtualServer) -> None:
    """As one that is only sent audio."""
    server.post("growing", *range(2200))
    listener = server.join("growing", capacity=1, cues=True, offset=len(AUDIO))
    server.run(60)
    assert server.observer.outcomes == ["ASF_LISTENER_TOO_SLOW"]
    assert len(server.cue_feeds) == 0
    assert len(listener.pieces) == 1


def test_a_slow_listener_takes_audio_and_cues_in_turns() -> None:
    """Neither waits for all of the other, although each is more than it takes at a time."""
    server = VirtualServer({"s": bytes(200_000)}, chunk_bytes=1000)
    server.post("s", *range(3000), text="x" * 50)
    listener = server.join("s", capacity=12_000, cues=True, paced=False)
    for _ in range(200):
        server.run(0.1)
        listener.read(12_000)
    assert listener.kinds[-1] == "EndOfStream"
    kinds = ["cues" if kind == "cues" else "audio" for kind in listener.sends if kind]
    first, *_, last = (place for place, kind in enumerate(kinds) if kind == "cues")
    assert len(listener.pieces) > 5
    assert kinds[first : last + 1] == ["cues", "audio"] * (len(listener.pieces) - 1) + ["cues"]
    assert starts(listener) == list(range(3000))


def test_a_listener_that_reads_slowly_is_not_dropped() -> None:
    """Each piece that it takes shows that it reads, also when there is no audio for it."""
    server = VirtualServer({"growing": AUDIO}, give_up_seconds=1e9)
    server.announce("growing", state=StreamState.GENERATING)
    server.post("growing", *range(3000), text="x" * 50)
    listener = server.join("growing", capacity=1, cues=True, offset=len(AUDIO))
    for _ in range(len(AUDIO)):
        if len(listener.cues) == 3000:
            break
        server.run(20)
        listener.read(50_000)
    assert starts(listener) == list(range(3000))
    assert server.observer.outcomes == []


class UntypedSource(InMemoryAudioSource):
    """Audio whose first bytes show its type."""

    @property
    def content_type(self) -> str:  # type: ignore[override]
        return "audio/mpeg" if self.size else UNKNOWN_CONTENT_TYPE


class UntypedSources(InMemoryAudioSources):
    """Such audio."""

    def content_type_of(self, locator: Locator) -> str | None:  # noqa: ARG002 - no name shows it
        return None

    def open(self, locator: Locator, *, growing: bool = False) -> UntypedSource:
        super().open(locator, growing=growing).close()
        return UntypedSource(self._audio_by_name, locator.text)


def test_cues_wait_for_the_start_of_the_stream() -> None:
    """Which waits for the bytes that show the type of the audio."""
    audios = {"s": b""}
    server = VirtualServer(sources=UntypedSources(audios))
    server.announce("s", state=StreamState.GENERATING)
    server.post("s", 1)
    listener = server.join("s", cues=True)
    server.run(1)
    assert (listener.kinds, listener.pieces) == (["joined"], [])
    audios["s"] = AUDIO
    server.run(1)
    assert starts(listener) == [1]
    assert listener.kinds == ["joined", "StartOfStream"]


@pytest.mark.parametrize("command", ["pause", "seek", "stall"])
def test_cues_that_are_due_when_the_session_changes_are_sent(command: str) -> None:
    """Though no audio is due any more."""
    server = VirtualServer({"s": AUDIO})
    server.announce("s", state=StreamState.GENERATING)
    listener = server.join("s", cues=True)
    server.run(9.5)
    posted = 0
    for _ in range(40):
        server.post("s", posted)
        posted += 1
        server.run_tasks()
        if command == "pause":
            server.service.pause("listener")
        elif command == "seek":
            server.service.seek("listener", len(AUDIO))
        server.clock.advance(0.03)
        server.run(0)
    server.run(0.1)
    assert starts(listener) == list(range(posted))
    assert command != "stall" or "stalled" in listener.kinds


class Scene:
    """One stream, of which a listener joins again and again."""

    def __init__(self, capacity: int | None) -> None:
        self.store = BrokenStore()
        self.server = VirtualServer({"s": AUDIO}, cue_store=self.store)
        self.server.announce("s", state=StreamState.GENERATING)
        self.epoch = self.server.catalog.find("s").epoch
        self.server.pause = self.mend
        self.capacity = capacity
        self.listeners: list[ScriptedListener] = []
        self.since = 0
        self.posted = 0

    def do(self, action: str) -> None:
        getattr(self, action)()
        self.server.run(0.2)

    def post(self, count: int = 1) -> None:
        self.server.post("s", *range(self.posted, self.posted + count))
        self.posted += count

    def post_many(self) -> None:
        self.post(700)

    def replace(self) -> None:
        self.server.post("s", self.posted, id="a")
        self.posted += 1

    def fail(self) -> None:
        self.store.is_broken = True

    def mend(self) -> None:
        self.store.is_broken = False

    def read(self) -> None:
        if self.listeners:
            self.listeners[-1].read(10_000)

    def join(self) -> None:
        self.since = max((seq for seq in self.stored() if seq <= self.posted // 2), default=0)
        listener = self.server.join("s", capacity=self.capacity, cues=True, cues_since=self.since)
        self.listeners.append(listener)

    def leave(self) -> None:
        if len(self.server.service):
            self.server.service.leave("listener")

    def pause(self) -> None:
        if len(self.server.service):
            self.server.service.pause("listener")

    def resume(self) -> None:
        if len(self.server.service):
            self.server.service.resume("listener")

    def seek(self) -> None:
        if len(self.server.service):
            self.server.service.seek("listener", 10)

    def stored(self) -> list[int]:
        """Return the numbers of the cues that there are."""
        page = InMemoryCueStore.page(self.store, "s", self.epoch, 0, 1_000_000, 10**9)
        return [cue.seq for cue in page.cues]


ACTIONS = ("post", "post_many", "replace", "fail", "mend", "read", "join", "leave", "pause", "resume", "seek")


@given(st.lists(st.sampled_from(ACTIONS), max_size=40), st.sampled_from([None, 1, 300, 5000]))
def test_no_listener_misses_a_cue_or_receives_one_twice(actions: list[str], capacity: int | None) -> None:
    """Whatever happens, in whatever order: the numbers of the pieces rise, and all cues are in one of them."""
    scene = Scene(capacity)
    for action in [*actions, "mend", "join"]:
        scene.do(action)
    last = scene.listeners[-1]
    for _ in range(200):
        last.read(50_000)
        scene.server.run(0.2)
    assert len(last.cues) == len([seq for seq in scene.stored() if seq > scene.since])
    for listener in scene.listeners:
        for numbers in ([piece.seq for piece in listener.pieces], starts(listener)):
            assert numbers == sorted(set(numbers))


def test_pieces_are_cached_within_a_limit() -> None:
    """Those that were used last stay."""
    cache = PieceCache(10)
    pieces = [CuePiece("s", "e", number, "[1]") for number in range(5)]
    for number, piece in enumerate(pieces[:3]):
        cache.put(("s", "e", number), piece)
        cache.put(("s", "e", number), piece)
    assert cache.get(("s", "e", 0)) is pieces[0]
    cache.put(("s", "e", 3), pieces[3])
    assert [cache.get(("s", "e", number)) for number in range(4)] == [pieces[0], None, pieces[2], pieces[3]]
    cache.clear()
    cache.put(("s", "e", 4), pieces[4])
    assert [cache.get(("s", "e", number)) for number in (0, 4)] == [None, pieces[4]]


def test_a_piece_that_may_become_longer_is_not_cached(server: VirtualServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A late listener would receive each cue in a message of its own."""
    monkeypatch.setattr(feed, "MAX_PIECE_CUES", 10)
    first: Any = server.join("growing", "first", cues=True)
    for number in range(25):
        server.post("growing", number)
        server.run(0.1)
    second = server.join("growing", "second", cues=True)
    server.run(1)
    assert [len(first.pieces), len(second.pieces)] == [25, 3]
    assert starts(first) == starts(second) == list(range(25))
