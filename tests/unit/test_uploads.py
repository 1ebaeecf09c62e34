"""Who writes which stream, what is acknowledged, and what becomes of uploads that nobody continues."""

from collections.abc import Callable
from functools import partial
from itertools import count

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from asf.adapters.memory import InMemoryAudioSources, InMemoryCatalogStore
from asf.adapters.memory_cues import InMemoryCueStore
from asf.domain.cues.cue import parse_cue
from asf.domain.cues.service import Cues
from asf.domain.errors import (
    AsfError,
    CatalogUnavailable,
    Draining,
    EpochChanged,
    GenerationFailed,
    InvalidField,
    InvalidStreamId,
    StorageFull,
    StreamNotFound,
    UploadComplete,
    UploadEmpty,
    UploadError,
    UploadNotFound,
    UploadOffsetMismatch,
    UploadTakenOver,
    UploadTooLarge,
    UploadUnavailable,
)
from asf.domain.streams.catalog import Announcement, StreamCatalog
from asf.domain.streams.stream import AudioEnding, AudioStream, FileLocator, QueueLocator, StreamState, UploadLocator
from asf.domain.uploads.discards import SHARED_SECONDS, Discards
from asf.domain.uploads.keeper import ORPHAN_SECONDS, UploadKeeper
from asf.domain.uploads.service import Uploads
from asf.domain.uploads.streams import UploadedStreams
from asf.domain.uploads.writer import UploadWriter
from tests.support.memory_uploads import InMemoryUploadFile, InMemoryUploadSpool, RecordedUploads
from tests.support.virtual import ManualClock

GENERATING, COMPLETE, FAILED = StreamState.GENERATING, StreamState.COMPLETE, StreamState.FAILED
GIVE_UP_SECONDS, KEEP_SECONDS = 120.0, 3600.0


class Node:
    """A server's uploads over a catalog and a spool that it may share with others."""

    def __init__(self, other: "Node | None" = None, *, max_bytes: int = 1000) -> None:
        epochs = count(1)
        self.clock: ManualClock = other.clock if other else ManualClock()
        self.store: InMemoryCatalogStore = other.store if other else InMemoryCatalogStore()
        self.spool: InMemoryUploadSpool = other.spool if other else InMemoryUploadSpool(self.clock, 5000)
        make_epoch: Callable[[], str] = other.make_epoch if other else lambda: f"epoch-{next(epochs)}"
        self.make_epoch: Callable[[], str] = make_epoch
        self.catalog = StreamCatalog(self.store, InMemoryAudioSources({}), self.clock, make_epoch, 1000)
        self.observer = RecordedUploads()
        self.streams = UploadedStreams(self.catalog, self.spool, self.spool.delete)
        self.uploads = Uploads(
            self.catalog, self.streams, self.spool, self.clock, self.observer, self.spool.delete, max_bytes
        )
        self.keeper = UploadKeeper(
            self.catalog,
            self.spool,
            self.clock,
            self.spool.delete,
            self.uploads.is_writing,
            lambda: None,
            GIVE_UP_SECONDS,
            KEEP_SECONDS,
            is_shared=other is not None,
        )
        self.uploads.on_release.connect(self.keeper.note)
        self.grown: list[tuple[str, str, int]] = []
        self.uploads.on_growth.connect(lambda *growth: self.grown.append(growth))

    def begin(self, stream_id: str = "s", told: list[AsfError] | None = None) -> UploadWriter:
        return self.uploads.begin(stream_id, ([] if told is None else told).append)

    def resume(self, offset: int, stream_id: str = "s", told: list[AsfError] | None = None) -> UploadWriter:
        return self.uploads.resume(stream_id, offset, ([] if told is None else told).append)

    def stream(self, stream_id: str = "s") -> AudioStream:
        return self.catalog.find(stream_id)

    def audio(self, stream_id: str = "s") -> bytes:
        return self.spool.bytes_of(self.stream(stream_id).locator)


class AcceptedCues:
    """Implements the `CueObserver` port."""

    def cues_accepted(self, count: int) -> None:
        pass


@pytest.fixture
def node() -> Node:
    """Return a server of its own."""
    return Node()


def test_an_upload_is_heard_from_its_head_on(node: Node) -> None:
    """`generating` under a new epoch; each piece is reported; then `complete`."""
    writer = node.begin()
    assert (node.stream().state, node.stream().epoch, writer.is_new) == (GENERATING, "epoch-1", True)
    writer.write(b"abc")
    writer.write(b"de")
    assert node.grown == [("s", "epoch-1", 3), ("s", "epoch-1", 5)]
    assert len(node.uploads) == 1
    assert writer.finish(is_complete=True) == node.stream()
    writer.close()
    writer.close()
    assert (node.stream().state, node.stream().epoch, node.audio()) == (COMPLETE, "epoch-1", b"abcde")
    assert node.spool.endings == {"upload-1": AudioEnding(COMPLETE)}
    assert (node.observer.started, node.observer.ended) == ([("s", 0)], [("s", "complete", 5)])
    assert (len(node.uploads), node.uploads.bytes_taken, node.spool.opened) == (0, 5, 0)


def test_what_is_cut_is_resumed(node: Node) -> None:
    """At the offset that `find` returns, and no other; the epoch stays."""
    writer = node.begin()
    writer.write(b"abc")
    writer.close()
    assert node.uploads.find("s") == (node.stream(), 3)
    for offset in (0, 2, 4):
        with pytest.raises(UploadOffsetMismatch) as mismatch:
            node.resume(offset)
        assert mismatch.value.offset == 3
    writer = node.resume(3)
    writer.write(b"de")
    assert writer.finish(is_complete=False).state is GENERATING
    writer.close()
    writer = node.resume(5)
    writer.finish(is_complete=True)
    writer.close()
    assert (node.stream().epoch, node.audio(), writer.is_new) == ("epoch-1", b"abcde", False)
    assert [outcome for _, outcome, _ in node.observer.ended] == ["cut", "paused", "complete"]
    assert node.spool.opened == 0
    with pytest.raises(UploadComplete) as complete:
        node.resume(5)
    assert complete.value.offset == 5


def test_the_newest_writer_takes_over(node: Node) -> None:
    """The older one is told once, and writes nothing more; one at a wrong offset takes nothing over."""
    told: list[AsfError] = []
    old = node.begin(told=told)
    old.write(b"abc")
    with pytest.raises(UploadOffsetMismatch):
        node.resume(1)
    assert not told
    new = node.resume(3)
    assert [type(error) for error in told] == [UploadTakenOver]
    for act in (lambda: old.write(b"x"), lambda: old.finish(is_complete=True)):
        with pytest.raises(UploadTakenOver):
            act()
    new.write(b"de")
    old.close()
    assert node.uploads.is_writing("s")
    new.finish(is_complete=True)
    new.close()
    assert node.audio() == b"abcde"
    assert node.observer.ended == [("s", "ASF_UPLOAD_TAKEN_OVER", 3), ("s", "complete", 2)]
    assert len(told) == 1


def test_an_append_that_the_older_writer_has_begun_counts(node: Node) -> None:
    """The newer one is told where to continue instead."""
    old = node.begin()
    old.write(b"abc")

    class SlowFile(InMemoryUploadFile):
        """While the newer request asks for the size for the first time, the older one appends."""

        def size(self) -> int:
            size = super().size()
            if size == 3:
                old.write(b"de")
            return size

    node.spool.open = lambda locator: SlowFile(node.spool, locator)  # type: ignore[method-assign]
    with pytest.raises(UploadOffsetMismatch) as mismatch:
        node.resume(3)
    assert mismatch.value.offset == 5
    assert not node.uploads.is_writing("s")
    assert node.audio() == b"abcde"


def test_a_new_upload_replaces_the_audio(node: Node) -> None:
    """Under another epoch; the former is deleted, its writer is told, and the metadata stays."""
    told: list[AsfError] = []
    old = node.begin(told=told)
    old.write(b"abc")
    node.catalog.announce(Announcement("s", None, GENERATING, metadata={"title": "One"}))
    new = node.begin()
    assert [type(error) for error in told] == [EpochChanged]
    assert (new.is_new, node.stream().metadata) == (False, {"title": "One"})
    assert node.stream().epoch != old.stream.epoch
    assert list(node.spool.audio) == ["upload-2"]
    with pytest.raises(EpochChanged):
        old.write(b"x")
    old.close()
    assert node.uploads.is_writing("s")


def test_the_catalog_ends_a_writer(node: Node) -> None:
    """By `failed`, by `complete`, by deletion, and by other audio."""
    endings: list[tuple[type[AsfError], Callable[[], object]]] = [
        (GenerationFailed, lambda: node.catalog.announce(Announcement("s", None, FAILED))),
        (UploadComplete, lambda: node.catalog.announce(Announcement("s", None, COMPLETE))),
        (StreamNotFound, lambda: node.catalog.delete("s")),
        (EpochChanged, lambda: node.catalog.announce(Announcement("s", FileLocator("/a/b.mp3"), COMPLETE))),
    ]
    for error, end in endings:
        told: list[AsfError] = []
        writer = node.begin(told=told)
        writer.write(b"abc")
        end()
        assert [type(one) for one in told] == [error]
        with pytest.raises(error):
            writer.write(b"de")
        writer.close()
        assert node.observer.ended[-1] == ("s", error.error_code, 3)


def test_a_failed_upload_is_not_resumed(node: Node) -> None:
    """Whoever failed it."""
    node.begin().close()
    node.catalog.announce(Announcement("s", None, FAILED, reason="Out of voice."))
    with pytest.raises(GenerationFailed, match=r"Out of voice\."):
        node.resume(0)


def test_only_uploads_are_resumed(node: Node) -> None:
    """Not unknown streams, and not audio that was announced; not with another epoch."""
    with pytest.raises(StreamNotFound):
        node.resume(0)
    node.catalog.announce(Announcement("file", FileLocator("/a/b.mp3"), GENERATING))
    for act in (lambda: node.resume(0, "file"), lambda: node.uploads.find("file")):
        with pytest.raises(UploadNotFound):
            act()
    node.begin().close()
    with pytest.raises(EpochChanged) as changed:
        node.uploads.resume("s", 0, print, {"epoch-7"})
    epoch = node.stream().epoch
    assert changed.value.epoch == epoch
    node.uploads.resume("s", 0, print, {"epoch-7", epoch}).close()


@pytest.mark.parametrize("stream_id", ["", "a/audio", "a/cues", "/audio", "x" * 256, "..", "a\n"])
def test_an_id_must_be_one_that_the_route_can_name(node: Node, stream_id: str) -> None:
    """And nothing is created for another."""
    for act in (
        lambda: node.begin(stream_id),
        lambda: node.resume(0, stream_id),
        lambda: node.uploads.find(stream_id),
    ):
        with pytest.raises(InvalidStreamId) as problem:
            act()
        assert problem.value.details
    assert not node.spool.audio


def test_no_more_is_taken_than_is_allowed(node: Node) -> None:
    """At once where the length is known; else as much as there may be."""
    with pytest.raises(UploadTooLarge):
        node.uploads.begin("s", print, total_bytes=1001)
    assert not node.spool.audio
    writer = node.begin()
    writer.write(bytes(900))
    with pytest.raises(UploadTooLarge) as too_large:
        writer.write(bytes(200))
    assert too_large.value.offset == writer.offset == 1000
    writer.close()
    with pytest.raises(UploadTooLarge):
        node.uploads.resume("s", 1000, print, total_bytes=1)
    writer = node.uploads.resume("s", 1000, print, total_bytes=0)
    writer.finish(is_complete=True)
    writer.close()
    assert len(node.audio()) == 1000


def test_a_full_spool_keeps_what_it_has(node: Node) -> None:
    """The upload stays `generating`, and continues when there is space."""
    for number in range(5):
        writer = node.begin(f"s{number}")
        writer.write(bytes(990))
        writer.close()
    writer = node.begin()
    with pytest.raises(StorageFull):
        writer.write(bytes(100))
    writer.close()
    assert (node.stream().state, writer.outcome) == (GENERATING, "ASF_STORAGE_FULL")
    node.streams.forget_audio(node.catalog.delete("s0"))
    writer = node.resume(0)
    writer.write(bytes(100))
    assert node.uploads.find("s")[1] == 100


def test_an_upload_that_was_replaced_meanwhile_is_another_epoch(node: Node) -> None:
    """Its audio is gone; that of a stream which only lost its audio is not found."""
    node.begin().close()
    find = node.catalog.find
    stale = [node.stream()]
    node.begin().close()
    node.catalog.find = lambda stream_id: stale.pop() if stale else find(stream_id)  # type: ignore[method-assign]
    with pytest.raises(EpochChanged):
        node.resume(0)
    node.spool.audio.clear()
    with pytest.raises(UploadNotFound):
        node.resume(0)


def test_a_draining_server_breaks_off_and_another_one_continues(node: Node) -> None:
    """New ones are rejected at once."""
    told: list[AsfError] = []
    writer = node.begin(told=told)
    writer.write(b"abc")
    node.uploads.drain()
    for act in (lambda: node.begin("t"), lambda: node.resume(3)):
        with pytest.raises(Draining):
            act()
    writer.write(b"de")
    node.uploads.end_all()
    assert [type(error) for error in told] == [Draining]
    writer.close()
    other = Node(node)
    resumed = other.resume(5)
    resumed.finish(is_complete=True)
    assert node.stream().state is COMPLETE


def test_a_writer_that_another_server_has_overtaken_finds_out(node: Node) -> None:
    """By the length of the audio."""
    other = Node(node)
    old = node.begin()
    old.write(b"abc")
    new = other.resume(3)
    new.write(b"de")
    with pytest.raises(UploadOffsetMismatch) as mismatch:
        old.write(b"xx")
    assert mismatch.value.offset == 5
    assert node.audio() == b"abcde"


def test_a_catalog_that_fails_leaves_the_upload_to_be_finished_again(node: Node) -> None:
    """Nothing that was taken is lost."""
    writer = node.begin()
    writer.write(b"abc")
    put = node.store.put

    def fail(*_arguments: object) -> bool:
        raise CatalogUnavailable

    node.store.put = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(CatalogUnavailable):
        writer.finish(is_complete=True)
    writer.close()
    with pytest.raises(CatalogUnavailable):
        node.begin("t")
    node.store.put = put  # type: ignore[method-assign]
    writer = node.resume(3)
    assert writer.finish(is_complete=True).state is COMPLETE
    writer.close()
    assert node.spool.opened == 0


def test_an_upload_without_a_byte_has_failed(node: Node) -> None:
    """Also one that is continued at its beginning; a new one can begin."""
    node.begin().close()
    for start in (partial(node.resume, 0), node.begin):
        writer = start()
        with pytest.raises(UploadEmpty) as caught:
            writer.finish(is_complete=True)
        assert caught.value.offset == 0
        writer.close()
        stream = node.catalog.find("s")
        assert (stream.state, stream.reason) == (FAILED, "The upload is empty.")
        with pytest.raises(GenerationFailed):
            node.resume(0)
    assert node.spool.opened == 0


def test_what_becomes_of_an_announcement_without_path(node: Node) -> None:
    """For an upload it leaves the state alone unless it gives one; `generating` cannot bring it back.

    Nothing is not complete.
    """
    uploads = node.streams
    plain = Announcement("s", None, COMPLETE, metadata={"a": 1})
    writer = node.begin()
    with pytest.raises(InvalidField, match="Nothing was uploaded"):
        uploads.announcement_of(plain, has_state=True)
    writer.write(b"audio")
    writer.close()
    assert uploads.has_upload("s")
    assert not uploads.has_upload("unknown")
    assert uploads.announcement_of(plain, has_state=False).state is GENERATING
    assert uploads.announcement_of(plain, has_state=True) is plain
    node.catalog.announce(plain)
    with pytest.raises(InvalidField):
        uploads.announcement_of(Announcement("s", None, GENERATING), has_state=True)
    other = Announcement("unknown", None, FAILED)
    assert uploads.announcement_of(other, has_state=False) is other


def test_what_nobody_continues_is_given_up(node: Node) -> None:
    """After the time without growth; not while it is written, and not sooner after it was resumed."""
    writer = node.begin()
    writer.write(b"abc")
    writer.close()
    node.clock.advance(GIVE_UP_SECONDS - 1)
    node.keeper.look()
    assert node.stream().state is GENERATING
    writer = node.resume(3)
    node.clock.advance(GIVE_UP_SECONDS + 1)
    node.keeper.look()
    assert node.stream().state is GENERATING
    writer.close()
    node.keeper.look()
    assert node.stream().reason == "The audio has not grown for 120 s."
    assert node.stream().state is FAILED


def test_what_another_server_has_left_is_found_and_given_up(node: Node) -> None:
    """By the sweep of a server that never saw it; not while the other one writes."""
    old = node.begin()
    old.write(b"abc")
    other = Node(node)
    node.clock.advance(GIVE_UP_SECONDS - 1)
    old.write(b"de")
    other.keeper.sweep()
    node.clock.advance(10)
    other.keeper.look()
    assert node.stream().state is GENERATING
    node.clock.advance(GIVE_UP_SECONDS)
    other.keeper.look()
    assert node.stream().state is FAILED
    with pytest.raises(GenerationFailed):
        old.write(b"f")


def test_an_abandoned_queue_is_ended_in_the_queue_as_well(node: Node) -> None:
    """Listeners of audio with an end marker hear of its end from that."""
    ended: list[AudioEnding] = []

    class QueueFile(InMemoryUploadFile):
        def finish(self, ending: AudioEnding) -> None:
            ended.append(ending)

    spool = node.spool
    locator = QueueLocator("q")
    spool.owns = lambda one: isinstance(one, QueueLocator)  # type: ignore[method-assign, assignment]
    spool.create = lambda: locator  # type: ignore[method-assign]
    spool.open = lambda one: QueueFile(spool, one)  # type: ignore[method-assign, assignment]
    spool.audio["q"], spool.grown_at["q"] = b"", node.clock.timestamp()
    node.begin().close()
    node.clock.advance(GIVE_UP_SECONDS)
    node.keeper.look()
    reason = "The audio has not grown for 120 s."
    assert ended == [AudioEnding(FAILED, reason)]
    assert (node.stream().state, node.stream().reason) == (FAILED, reason)


def test_a_sweep_deletes_what_is_kept_no_longer(node: Node) -> None:
    """With its stream; not what is still being uploaded, and not announced audio."""
    for stream_id in ("complete", "failed", "generating"):
        writer = node.begin(stream_id)
        writer.write(b"abc")
        if stream_id == "complete":
            writer.finish(is_complete=True)
        writer.close()
    node.catalog.announce(Announcement("failed", None, FAILED))
    node.catalog.announce(Announcement("file", FileLocator("/a/b.mp3"), COMPLETE))
    node.clock.advance(KEEP_SECONDS - 1)
    node.keeper.sweep()
    assert len(node.spool.audio) == 3
    node.clock.advance(1)
    node.keeper.sweep()
    assert {stream.stream_id for stream in node.catalog.page(10)} == {"generating", "file"}
    assert len(node.spool.audio) == 1


@pytest.mark.parametrize("end", ["expired", "deleted", "uploaded again"])
def test_cues_are_deleted_with_uploaded_audio(node: Node, end: str) -> None:
    """Whichever way it ends: no cues remain that no stream has."""
    cues = Cues(InMemoryCueStore(), node.catalog, 10, AcceptedCues(), lambda: None)
    writer = node.begin()
    writer.write(b"abc")
    stream = writer.finish(is_complete=True)
    writer.close()
    cues.add("s", [parse_cue({"start": 1})])
    assert cues.latest(stream) == 1
    if end == "deleted":
        node.streams.forget_audio(node.catalog.delete("s"))
    elif end == "expired":
        node.clock.advance(KEEP_SECONDS)
        node.keeper.sweep()
    else:
        node.begin().close()
    assert cues.latest(stream) == 0


def test_a_sweep_deletes_audio_that_no_stream_has(node: Node) -> None:
    """At once what an earlier process has left; what may be about to be announced, only when it is old."""
    node.spool.create()
    node.clock.advance(1)
    restarted = Node(node)
    alone = UploadKeeper(
        node.catalog,
        node.spool,
        node.clock,
        node.spool.delete,
        node.uploads.is_writing,
        lambda: None,
        GIVE_UP_SECONDS,
        KEEP_SECONDS,
        is_shared=False,
    )
    restarted.keeper.sweep()  # It shares the spool with others.
    assert len(node.spool.audio) == 1
    node.spool.create()
    node.begin().close()
    alone.sweep()
    assert list(node.spool.audio) == ["upload-2", "upload-3"]
    node.clock.advance(ORPHAN_SECONDS + 1)
    restarted.keeper.sweep()
    assert list(node.spool.audio) == ["upload-3"]


def test_a_lost_upload_is_given_up(node: Node) -> None:
    """Its audio is gone from the spool: there is nothing to resume."""
    node.begin().close()
    node.spool.audio.clear()
    node.clock.advance(GIVE_UP_SECONDS)
    node.keeper.look()
    assert node.stream().state is FAILED


def test_the_keeper_continues_whatever_fails(node: Node) -> None:
    """The catalog, the spool, or the keeper itself."""
    node.begin().close()
    node.clock.advance(GIVE_UP_SECONDS)
    problems = [CatalogUnavailable("x"), UploadUnavailable("x"), RuntimeError("a bug")]
    find = node.spool.find

    def failing(locator: UploadLocator) -> object:
        if problems:
            raise problems.pop(0)
        return find(locator)

    node.spool.find = failing  # type: ignore[method-assign, assignment]
    pauses: list[float] = []

    class Enough(Exception):
        pass

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 5:
            raise Enough

    with pytest.raises(Enough):
        node.keeper.run(pause)
    assert pauses == [10.0] * 5
    assert node.stream().state is FAILED


def test_shared_audio_is_deleted_a_while_later(node: Node) -> None:
    """And what cannot be deleted does no harm."""
    work: list[Callable[[], object]] = []
    pauses: list[float] = []
    for is_shared in (False, True):
        discards = Discards(node.spool, work.append, pauses.append, is_shared=is_shared)
        locator = node.spool.create()
        discards.discard(locator)
        work.pop()()
        assert not node.spool.audio
    assert pauses == [SHARED_SECONDS]

    def broken(_locator: object) -> None:
        raise UploadUnavailable("x")

    node.spool.delete = broken  # type: ignore[method-assign, assignment]
    discards.discard(locator)
    work.pop()()


class UploadMachine(RuleBasedStateMachine):
    """Senders of the same audio, on two servers, that break off, come back and overlap at will."""

    AUDIO = bytes(range(200))

    def __init__(self) -> None:
        super().__init__()
        first = Node()
        self.nodes = [first, Node(first)]
        self.writers: list[UploadWriter] = []
        self.acknowledged = 0

    @rule(node=st.integers(0, 1))
    def begin(self, node: int) -> None:
        self.writers.append(self.nodes[node].begin())
        self.acknowledged = 0

    @rule(node=st.integers(0, 1), slip=st.sampled_from([0, 0, 0, -3, 5]))
    def resume(self, node: int, slip: int) -> None:
        try:
            offset = self.nodes[node].uploads.find("s")[1]
            self.writers.append(self.nodes[node].resume(max(0, offset + slip)))
        except UploadOffsetMismatch:
            assert slip
        except (StreamNotFound, UploadComplete, GenerationFailed):
            pass

    @precondition(lambda self: self.writers)
    @rule(which=st.integers(0, 100), size=st.integers(0, 30))
    def write(self, which: int, size: int) -> None:
        writer = self.writers[which % len(self.writers)]
        try:
            writer.write(self.AUDIO[writer.offset : writer.offset + size])
        except (UploadError, EpochChanged, StreamNotFound, GenerationFailed):
            return
        if writer.stream.epoch == self.nodes[0].stream().epoch:
            self.acknowledged = max(self.acknowledged, writer.offset)

    @precondition(lambda self: self.writers)
    @rule(which=st.integers(0, 100), how=st.sampled_from(["cut", "paused", "complete"]))
    def leave(self, which: int, how: str) -> None:
        writer = self.writers.pop(which % len(self.writers))
        try:
            if how != "cut":
                writer.finish(is_complete=how == "complete")
        except (UploadError, EpochChanged, StreamNotFound, GenerationFailed):
            pass
        writer.close()

    @rule()
    def delete(self) -> None:
        try:
            self.nodes[0].streams.forget_audio(self.nodes[0].catalog.delete("s"))
        except StreamNotFound:
            return
        self.acknowledged = 0

    @invariant()
    def nothing_acknowledged_is_lost_or_out_of_place(self) -> None:
        try:
            audio = self.nodes[0].audio()
        except StreamNotFound:
            return
        assert audio == self.AUDIO[: len(audio)]
        assert len(audio) >= self.acknowledged

    @invariant()
    def each_server_has_one_writer(self) -> None:
        for node in self.nodes:
            active = [one for one in self.writers if one.error is None and one._owner is node.uploads]  # noqa: SLF001
            assert len(active) <= 1
            assert node.uploads.is_writing("s") == bool(active) or not active


TestUploadMachine = UploadMachine.TestCase
