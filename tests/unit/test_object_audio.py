"""Audio from object stores, with a store in memory: which requests are sent, and when."""

import random
from collections.abc import Callable
from typing import Any

import obstore
import pytest
from obstore.exceptions import GenericError, PermissionDeniedError
from obstore.store import MemoryStore

from asf.adapters.object_store import InvalidStoreConfiguration, ObjectAudioSources, create_stores, probe, sources
from asf.adapters.object_store.blocks import BLOCK_BYTES, FAILURE_SECONDS
from asf.adapters.object_store.probe import PROBE_SECONDS
from asf.adapters.object_store.source import ObjectAudioSource
from asf.adapters.object_store.sources import DEFAULT_CACHE_BYTES, MAX_BLOCK_READS, MAX_HEAD_REQUESTS
from asf.adapters.object_store.worker import QUEUE_SECONDS
from asf.domain.errors import AudioChanged, AudioUnavailable, InvalidFilepath
from asf.domain.streaming.seek_limit import INTERVAL_SECONDS
from asf.domain.streams.stream import ObjectLocator
from tests.contracts.audio_sources import AUDIO, AudioSourcesContract
from tests.support.virtual import ManualClock, VirtualServer

URL = "s3://bucket/show/one.mp3"
LONG = random.Random(5).randbytes(5 * BLOCK_BYTES + 1000)


def run_here(work: Callable[[], None], done: Callable[[], None]) -> None:
    """Run work at once."""
    work()
    done()


class Later:
    """Runs work on demand."""

    def __init__(self) -> None:
        self.under_way: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self.submitted = 0

    def submit(self, work: Callable[[], None], done: Callable[[], None]) -> None:
        self.submitted += 1
        self.under_way.append((work, done))

    def end(self, number: int = 0) -> None:
        """Run one piece of work that was submitted."""
        work, done = self.under_way.pop(number)
        work()
        done()

    def end_all(self) -> None:
        """Run all work, and what it submits."""
        while self.under_way:
            self.end()


class Requests:
    """Records the requests to the store, and can make them fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[Any] = []
        self.conditions: list[str | None] = []
        self.error: Exception | None = None
        self._get = obstore.get
        monkeypatch.setattr(obstore, "get", self._ask)

    def _ask(self, store: Any, path: str, *, options: Any) -> Any:
        self.made.append(options.get("range", "head"))
        self.conditions.append(options.get("if_match"))
        if self.error is not None:
            raise self.error
        return self._get(store, path, options=options)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    """Return the requests to the store."""
    return Requests(monkeypatch)


@pytest.fixture
def store() -> MemoryStore:
    """Return a store with two objects."""
    store = MemoryStore()
    obstore.put(store, "show/one.mp3", AUDIO)
    obstore.put(store, "long.mp3", LONG)
    return store


class Rig:
    """A store in memory, with work that runs on demand."""

    def __init__(self, store: MemoryStore, requests: Requests, max_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self.clock = ManualClock()
        self.store = store
        self.requests = requests
        self.later = Later()
        self.sources = ObjectAudioSources({"s3://bucket": store}, self._begin, max_bytes, self.clock.now)
        self.opening = False

    def _begin(self, work: Callable[[], None], done: Callable[[], None]) -> None:
        (run_here if self.opening else self.later.submit)(work, done)

    def open(self, key: str = "long.mp3") -> ObjectAudioSource:
        """Open an object, and forget the requests."""
        self.opening = True
        source = self.sources.open(ObjectLocator(f"s3://bucket/{key}"))
        self.opening = False
        self.requests.made.clear()
        return source

    def arrivals_of(self, source: ObjectAudioSource) -> list[None]:
        """Return a list that gets an entry whenever something arrives for the source."""
        arrivals: list[None] = []
        source.on_arrival = lambda: arrivals.append(None)
        return arrivals


@pytest.fixture
def rig(store: MemoryStore, requests: Requests) -> Rig:
    """Return a store in memory, with work that runs on demand."""
    return Rig(store, requests)


class TestObjectAudioSources(AudioSourcesContract):
    """The contract, on objects."""

    @pytest.fixture
    def sources(self, store: MemoryStore) -> ObjectAudioSources:
        return ObjectAudioSources({"s3://bucket": store}, run_here)

    @pytest.fixture
    def path(self) -> str:
        return URL

    @pytest.fixture
    def missing_path(self) -> str:
        return "s3://bucket/later.mp3"

    @pytest.fixture
    def forbidden_path(self) -> str:
        return "s3://other/one.mp3"


def test_a_block_is_requested_once_for_all_sources(rig: Rig) -> None:
    """However many sources there are, and however often they read; then each is notified once."""
    first, second = rig.open(), rig.open()
    arrivals = [rig.arrivals_of(first), rig.arrivals_of(second)]
    for source in (first, second, first):
        assert source.read(10, 1000) is None
    assert rig.later.submitted == 1
    rig.later.end()
    assert rig.requests.made == [(0, BLOCK_BYTES)]
    assert rig.requests.conditions[-1] == first.audio.etag
    assert [len(each) for each in arrivals] == [1, 1]
    assert first.read(10, 1000) == LONG[10:1010]
    assert second.read(20, 1000) == LONG[20:1020]
    assert rig.later.submitted == 1


def test_a_read_may_lie_in_several_blocks(rig: Rig) -> None:
    """All of them are requested at once; the last one ends with the object."""
    source = rig.open()
    arrivals = rig.arrivals_of(source)
    start = 3 * BLOCK_BYTES - 5
    length = len(LONG) - start
    assert source.read(start, length) is None
    rig.later.end_all()
    assert rig.requests.made == [
        (2 * BLOCK_BYTES, 3 * BLOCK_BYTES),
        (3 * BLOCK_BYTES, 4 * BLOCK_BYTES),
        (4 * BLOCK_BYTES, 5 * BLOCK_BYTES),
        (5 * BLOCK_BYTES, len(LONG)),
    ]
    assert len(arrivals) == 4
    assert source.read(start, length) == LONG[start:]


@pytest.mark.parametrize(
    ("offset", "length", "following"),
    [
        (0, 1000, None),
        (BLOCK_BYTES // 2 - 1000, 999, None),
        (BLOCK_BYTES // 2, 10, 1),
        (BLOCK_BYTES - 10, 10, 1),
        (BLOCK_BYTES, 10, None),
        (4 * BLOCK_BYTES + BLOCK_BYTES // 2, 10, 5),
        (5 * BLOCK_BYTES + 500, 500, None),
    ],
)
def test_a_read_in_the_second_half_of_a_block_requests_the_next_one(
    rig: Rig, offset: int, length: int, following: int | None
) -> None:
    """Only one, if there is one. Its arrival notifies no source."""
    source = rig.open()
    arrivals = rig.arrivals_of(source)
    assert source.read(offset, length) is None
    rig.later.end_all()
    assert len(arrivals) == 1
    asked = [start // BLOCK_BYTES for start, _stop in rig.requests.made]
    assert asked == [offset // BLOCK_BYTES] + ([] if following is None else [following])


def test_a_source_that_waits_for_a_block_read_ahead_is_notified(rig: Rig) -> None:
    """The block is requested once."""
    source = rig.open()
    source.read(BLOCK_BYTES - 10, 10)
    arrivals = rig.arrivals_of(source)
    assert source.read(BLOCK_BYTES, 10) is None
    rig.later.end(1)
    assert len(arrivals) == 1
    assert source.read(BLOCK_BYTES, 10) == LONG[BLOCK_BYTES : BLOCK_BYTES + 10]
    assert rig.later.submitted == 2


def test_a_replaced_object_is_never_mixed(rig: Rig) -> None:
    """Cached blocks can still be read, the rest is an error; a source that is opened later reads the new object."""
    source = rig.open()
    source.read(0, 10)
    rig.later.end()
    obstore.put(rig.store, "long.mp3", bytes(len(LONG)))
    assert source.read(10, 10) == LONG[10:20]
    assert source.read(BLOCK_BYTES, 10) is None
    rig.later.end()
    with pytest.raises(AudioChanged) as rejection:
        source.read(BLOCK_BYTES, 10)
    assert not rejection.value.retryable
    other = rig.open()
    assert other.identity != source.identity
    assert other.read(0, 10) is None
    rig.later.end()
    assert other.read(0, 10) == bytes(10)
    assert source.read(10, 10) == LONG[10:20]


def test_a_store_that_ignores_conditions_does_not_mix_objects_either(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ETag of the response is checked, too."""
    source = rig.open()
    obstore.put(rig.store, "long.mp3", bytes(len(LONG)))
    get = obstore.get
    monkeypatch.setattr(
        obstore,
        "get",
        lambda store, path, options: get(store, path, options={"range": options["range"]}),
    )
    assert source.read(0, 10) is None
    rig.later.end()
    with pytest.raises(AudioChanged):
        source.read(0, 10)


def test_a_failure_reaches_all_waiting_sources_and_expires(rig: Rig) -> None:
    """A failed read-ahead is ignored."""
    first, second = rig.open(), rig.open()
    arrivals = [rig.arrivals_of(first), rig.arrivals_of(second)]
    assert first.read(BLOCK_BYTES - 10, 10) is None
    assert second.read(0, 10) is None
    rig.requests.error = GenericError("The store is on fire.\n\nDebug source: secret")
    rig.later.end_all()
    assert [len(each) for each in arrivals] == [1, 1]
    for source in (first, second, first):
        with pytest.raises(AudioUnavailable) as rejection:
            source.read(0, 10)
        assert rejection.value.retryable
        assert "fire" not in str(rejection.value)
    rig.requests.error = None
    assert second.read(BLOCK_BYTES, 10) is None
    rig.clock.advance(FAILURE_SECONDS)
    assert first.read(0, 10) is None
    rig.later.end_all()
    assert first.read(0, 10) == LONG[:10]
    assert second.read(BLOCK_BYTES, 10) == LONG[BLOCK_BYTES : BLOCK_BYTES + 10]


def test_the_log_has_the_store_s_message_without_quotations(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """A rejection by S3 quotes what was signed, which may contain a session token."""
    source = rig.open()
    source.read(0, 10)
    rig.requests.error = PermissionDeniedError(
        "GET http://store/bucket/long.mp3 - 403 Forbidden: <?xml version='1.0'?>\n"
        "<Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>x-amz-security-token:secret</CanonicalRequest>"
    )
    rig.later.end()
    message = "PermissionDeniedError: GET http://store/bucket/long.mp3 - 403 Forbidden (SignatureDoesNotMatch)"
    assert caplog.messages == [f"s3://bucket/long.mp3: {message}"]
    with pytest.raises(AudioUnavailable, match="denied access"):
        source.read(0, 10)


@pytest.mark.parametrize("error", [ValueError("What?"), OSError("No."), TimeoutError()])
def test_any_exception_ends_the_wait(rig: Rig, error: Exception) -> None:
    """Whatever the library raises."""
    source = rig.open()
    source.read(0, 10)
    rig.requests.error = error
    rig.later.end()
    with pytest.raises(AudioUnavailable):
        source.read(0, 10)


def test_closing_while_a_block_is_being_read_is_safe(rig: Rig) -> None:
    """The closed source is not notified; others are, or find the block in the cache."""
    first, second = rig.open(), rig.open()
    arrivals = [rig.arrivals_of(first), rig.arrivals_of(second)]
    first.read(0, 10)
    second.read(0, 10)
    first.read(BLOCK_BYTES, 10)
    first.close()
    rig.later.end_all()
    assert [len(each) for each in arrivals] == [0, 1]
    assert second.read(0, 10) == LONG[:10]
    assert second.read(BLOCK_BYTES, 10) == LONG[BLOCK_BYTES : BLOCK_BYTES + 10]


def test_reads_of_blocks_are_limited(rig: Rig) -> None:
    """A queued read that is no longer wanted is not sent; read-ahead does not queue."""
    size = (MAX_BLOCK_READS + 10) * BLOCK_BYTES
    obstore.put(rig.store, "huge.mp3", bytes(size))
    source, other = rig.open("huge.mp3"), rig.open("huge.mp3")
    for number in range(MAX_BLOCK_READS + 2):
        assert source.read(number * BLOCK_BYTES, 10) is None
    assert source.read(BLOCK_BYTES - 10, 10) is None
    assert other.read((MAX_BLOCK_READS + 2) * BLOCK_BYTES, 10) is None
    assert len(rig.later.under_way) == MAX_BLOCK_READS
    source.close()
    arrivals = rig.arrivals_of(other)
    rig.later.end_all()
    numbers = [start // BLOCK_BYTES for start, _stop in rig.requests.made]
    assert numbers == [*range(MAX_BLOCK_READS), MAX_BLOCK_READS + 2]
    assert len(arrivals) == 1


def test_a_queued_read_that_is_cancelled_is_not_sent(rig: Rig) -> None:
    """Asked for again, it is a request of its own, at the end of the queue."""
    obstore.put(rig.store, "huge.mp3", bytes((MAX_BLOCK_READS + 10) * BLOCK_BYTES))
    source = rig.open("huge.mp3")
    for number in range(MAX_BLOCK_READS + 2):
        source.read(number * BLOCK_BYTES, 10)
    offset = MAX_BLOCK_READS * BLOCK_BYTES
    source.cancel(offset)
    source.cancel(offset)
    source.cancel(0)  # It is being read already.
    rig.clock.advance(QUEUE_SECONDS - 1)
    assert source.read(offset, 10) is None
    rig.later.end()
    rig.clock.advance(2)
    rig.later.end_all()
    numbers = [start // BLOCK_BYTES for start, _stop in rig.requests.made]
    assert numbers == [*range(MAX_BLOCK_READS), MAX_BLOCK_READS + 1, MAX_BLOCK_READS]
    assert source.read(offset, 10) == source.read(0, 10) == bytes(10)


def test_a_queued_read_that_another_position_needs_is_not_cancelled(rig: Rig) -> None:
    """Of the same source, or of another one."""
    obstore.put(rig.store, "huge.mp3", bytes((MAX_BLOCK_READS + 10) * BLOCK_BYTES))
    source, other = rig.open("huge.mp3"), rig.open("huge.mp3")
    for number in range(MAX_BLOCK_READS):
        source.read(number * BLOCK_BYTES, 10)
    first, second = MAX_BLOCK_READS * BLOCK_BYTES, (MAX_BLOCK_READS + 1) * BLOCK_BYTES
    arrivals = rig.arrivals_of(other)
    source.read(first, 10)
    source.read(first + 20, 10)
    source.read(second, 10)
    other.read(second, 10)
    source.cancel(first)
    source.cancel(second)
    rig.later.end_all()
    assert len(rig.requests.made) == MAX_BLOCK_READS + 2
    assert source.read(first + 20, 10) == bytes(10)
    assert len(arrivals) == 1


def test_an_object_has_at_most_half_of_the_places_while_others_wait(rig: Rig) -> None:
    """All of them while it is alone."""
    obstore.put(rig.store, "huge.mp3", bytes((2 * MAX_BLOCK_READS + 1) * BLOCK_BYTES))
    popular, rare = rig.open("huge.mp3"), rig.open("long.mp3")
    for number in range(2 * MAX_BLOCK_READS):
        popular.read(number * BLOCK_BYTES, 10)
    assert len(rig.later.under_way) == MAX_BLOCK_READS
    for number in range(3):
        rare.read(number * BLOCK_BYTES, 10)
    for _ in range(3):
        rig.later.end()
    for _ in range(3):
        rig.later.end(MAX_BLOCK_READS - 3)
    assert [rare.read(number * BLOCK_BYTES, 10) for number in range(3)] == [
        LONG[number * BLOCK_BYTES :][:10] for number in range(3)
    ]
    rig.later.end_all()
    assert rig.later.submitted == 2 * MAX_BLOCK_READS + 3


def test_a_store_that_does_not_answer_leaves_places_to_stores_of_another_kind(
    store: MemoryStore, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All buckets of one kind share what the kind may have: they may be one service."""
    monkeypatch.setattr(sources, "OPEN_SECONDS", 0.0)
    later = Later()
    stores = {"s3://one": store, "s3://two": store, "gs://three": store}
    several = ObjectAudioSources(stores, later.submit)
    asked = [f"s3://{('one', 'two')[number % 2]}/{number}.mp3" for number in range(2 * MAX_HEAD_REQUESTS)]
    for url in [*asked, "gs://three/long.mp3"]:
        with pytest.raises(AudioUnavailable):
            several.open(ObjectLocator(url))
    assert len(later.under_way) == MAX_HEAD_REQUESTS - MAX_HEAD_REQUESTS // 4 + 1
    later.end(-1)
    assert requests.made == ["head"]
    later.end_all()
    assert later.submitted == len(asked) + 1


def test_of_many_seeks_few_blocks_are_read(store: MemoryStore, requests: Requests) -> None:
    """Those of the last seek, besides those that were being read when a later one came."""
    blocks = 50
    obstore.put(store, "huge.mp3", bytes(blocks * BLOCK_BYTES))
    rig = Rig(store, requests)
    server = VirtualServer(sources=rig.sources, chunk_seconds=1.0)
    server.announce("s", "s3://bucket/huge.mp3")
    rig.opening = True
    listener = server.join("s")
    rig.opening = False
    requests.made.clear()
    for number in range(1900):
        server.service.seek("listener", number * 7919 % blocks * BLOCK_BYTES)
        server.run(0.01)
    last = 1899 * 7919 % blocks
    server.run(INTERVAL_SECONDS)
    assert len(rig.later.under_way) == MAX_BLOCK_READS
    rig.later.end()
    rig.later.end(len(rig.later.under_way) - 1)
    server.run(0.05)
    assert requests.made[-1] == (last * BLOCK_BYTES, (last + 1) * BLOCK_BYTES)
    assert len(listener.received) > 0
    assert rig.later.submitted == MAX_BLOCK_READS + 1


def test_a_request_that_queues_too_long_fails(rig: Rig) -> None:
    """A store that hangs holds nothing up for ever."""
    size = (MAX_BLOCK_READS + 10) * BLOCK_BYTES
    obstore.put(rig.store, "huge.mp3", bytes(size))
    source = rig.open("huge.mp3")
    for number in range(MAX_BLOCK_READS + 1):
        source.read(number * BLOCK_BYTES, 10)
    rig.clock.advance(QUEUE_SECONDS + 0.1)
    rig.later.end()
    assert len(rig.later.under_way) == MAX_BLOCK_READS - 1
    with pytest.raises(AudioUnavailable, match="timed out"):
        source.read(MAX_BLOCK_READS * BLOCK_BYTES, 10)


def test_the_cache_is_bounded(store: MemoryStore, requests: Requests) -> None:
    """The least recently used block is evicted first."""
    rig = Rig(store, requests, max_bytes=2 * BLOCK_BYTES)
    source = rig.open()
    for number in (0, 1, 0, 2):
        source.read(number * BLOCK_BYTES, 10)
        rig.later.end_all()
        assert source.read(number * BLOCK_BYTES, 10) is not None
    assert source.read(0, 10) is not None
    assert source.read(BLOCK_BYTES, 10) is None


def test_one_head_request_serves_all_that_open_an_object_meanwhile(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand listeners that join at once cost one request; a later one costs another."""
    monkeypatch.setattr(sources, "OPEN_SECONDS", 0.0)
    locator = ObjectLocator("s3://bucket/long.mp3")
    for _ in range(3):
        with pytest.raises(AudioUnavailable, match="timed out"):
            rig.sources.open(locator)
    assert rig.later.submitted == 1
    rig.later.end()
    rig.open()
    assert rig.requests.made == []


def test_head_requests_are_limited(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait in the queue."""
    monkeypatch.setattr(sources, "OPEN_SECONDS", 0.0)
    for number in range(MAX_HEAD_REQUESTS + 3):
        with pytest.raises(AudioUnavailable):
            rig.sources.open(ObjectLocator(f"s3://bucket/{number}.mp3"))
    assert len(rig.later.under_way) == MAX_HEAD_REQUESTS
    rig.later.end_all()
    assert rig.later.submitted == MAX_HEAD_REQUESTS + 3


@pytest.mark.parametrize(
    ("key", "declared", "data", "content_type"),
    [
        ("one.flac", "audio/ogg", b"fLaC", "audio/flac"),
        ("one", "audio/ogg", b"fLaC", "audio/ogg"),
        ("one", "application/octet-stream", b"fLaC" + bytes(100), "audio/flac"),
        ("one", None, b"fLaC" + bytes(100), "audio/flac"),
        ("one", None, b"what?", "application/octet-stream"),
        ("one", None, b"", "application/octet-stream"),
        ("one.txt", "text/plain", b"what?", "application/octet-stream"),
    ],
)
def test_the_media_type_comes_from_key_store_or_content(
    rig: Rig, key: str, declared: str | None, data: bytes, content_type: str
) -> None:
    """In this order; a type other than audio in the store is ignored."""
    obstore.put(rig.store, key, data, attributes={} if declared is None else {"Content-Type": declared})
    source = rig.open(key)
    assert source.content_type == content_type
    assert source.size == len(data)
    assert source.read(0, 0) == b""


@pytest.mark.parametrize("key", ["one.mp3", "a b/ü?#%41.mp3", "a%2Fb", "~(x)*'", "one.mp3?versionId=5", "x" * 1024])
def test_keys_are_taken_literally(rig: Rig, key: str) -> None:
    """Nothing is decoded, and the scheme has one spelling."""
    locator = rig.sources.locate(f"S3://bucket/{key}")
    assert locator == ObjectLocator(f"s3://bucket/{key}")
    obstore.put(rig.store, key, b"abc")
    assert rig.open(key).size == 3


@pytest.mark.parametrize(
    ("url", "details"),
    [
        ("s3://bucket", "names no object"),
        ("s3://bucket/", "names no object"),
        ("s3://bucket/one\0", "control"),
        ("s3://bucket/one\n.mp3", "control"),
        ("s3://bucket/one\x85", "control"),
        ("s3://bucket/\ud800", "encoded"),
        ("s3://bucket/" + "ü" * 513, "1026 bytes"),
        ("s3://bucket//one", "segments"),
        ("s3://bucket/one/", "segments"),
        ("s3://bucket/../one", "segments"),
        ("s3://bucket/./one", "segments"),
        ("s3:///one", "'s3://' may not be read"),
        ("s3://Bucket/one", "ASF_S3_BUCKETS"),
        ("gs://bucket/one", "ASF_GS_BUCKETS"),
        ("az://bucket/one", "ASF_AZ_CONTAINERS"),
        ("bucket/one", "not a URL"),
    ],
)
def test_other_urls_are_rejected(rig: Rig, url: str, details: str) -> None:
    """With the reason."""
    with pytest.raises(InvalidFilepath, match=details):
        rig.sources.locate(url)


def test_a_bucket_that_was_removed_from_the_settings_cannot_be_read(rig: Rig) -> None:
    """The catalog may still have its objects."""
    with pytest.raises(AudioUnavailable, match="no longer in the settings"):
        rig.sources.open(ObjectLocator("s3://other/one.mp3"))
    with pytest.raises(AudioUnavailable, match="grow"):
        rig.sources.open(ObjectLocator(URL), growing=True)


def test_a_store_without_etags_is_rejected(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replaced object could not be detected."""

    class Answer:
        meta = {"e_tag": None, "size": 3}  # noqa: RUF012
        attributes: dict[str, str] = {}  # noqa: RUF012

    monkeypatch.setattr(obstore, "get", lambda *_args, **_options: Answer)
    with pytest.raises(AudioUnavailable, match="ETag"):
        rig.open()


def test_a_short_response_is_an_error(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken for the complete block."""
    source = rig.open()

    class Answer:
        meta = {"e_tag": source.audio.etag, "size": source.size}  # noqa: RUF012

        @staticmethod
        def bytes() -> bytes:
            return b"abc"

    monkeypatch.setattr(obstore, "get", lambda *_args, **_options: Answer)
    source.read(0, 10)
    rig.later.end()
    with pytest.raises(AudioUnavailable, match="fewer"):
        source.read(0, 10)


def test_stores_are_probed_in_the_background(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a limited rate; the latest result stands until there is another."""
    monkeypatch.setattr(probe, "FIRST_PROBE_SECONDS", 0.0)
    unreachable = rig.sources.unreachable
    assert unreachable() == unreachable() == {"s3://bucket": "No response yet."}
    assert rig.later.submitted == 1
    rig.later.end()
    assert unreachable() == {}
    rig.clock.advance(PROBE_SECONDS - 0.1)
    assert unreachable() == {}
    assert rig.later.submitted == 1
    rig.clock.advance(0.2)
    rig.requests.error = GenericError("Gone.")
    assert unreachable() == unreachable() == {}
    rig.later.end_all()
    assert unreachable() == {"s3://bucket": "The object store returned an error or is unreachable."}
    assert rig.later.submitted == 2


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (FileNotFoundError("404: <Code>NoSuchKey</Code>"), None),
        (FileNotFoundError("404: <Code>NoSuchBucket</Code>"), "There is no such bucket."),
        (PermissionDeniedError("403: <Code>AccessDenied</Code>"), None),
        (PermissionDeniedError("403"), None),
        (
            PermissionDeniedError("403: <Code>SignatureDoesNotMatch</Code>"),
            "The object store rejects the credentials (SignatureDoesNotMatch).",
        ),
    ],
)
def test_a_rejection_of_the_probed_object_is_not_a_problem(
    store: MemoryStore, requests: Requests, error: Exception, problem: str | None
) -> None:
    """Without permission to list a bucket, the store denies access to each missing object."""
    requests.error = error
    found = ObjectAudioSources({"s3://bucket": store}, run_here)
    assert found.unreachable() == ({} if problem is None else {"s3://bucket": problem})


def test_stores_are_created_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each bucket."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    made = create_stores(["one", "two"], ["three"], ["four"], "http://127.0.0.1:1")
    assert list(made) == ["s3://one", "s3://two", "gs://three", "az://four"]


def test_an_unusable_configuration_names_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line."""
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(InvalidStoreConfiguration, match=r"^ASF_AZ_CONTAINERS: 'four' .*Account must be specified$"):
        create_stores([], [], ["four"], "")
