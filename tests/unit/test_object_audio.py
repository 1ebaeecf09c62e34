"""Audio from object stores, on a store in memory: who asks for what, and when."""

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
from asf.domain.streams.stream import ObjectLocator
from tests.contracts.audio_sources import AUDIO, AudioSourcesContract
from tests.support.virtual import ManualClock

URL = "s3://bucket/show/one.mp3"
LONG = random.Random(5).randbytes(5 * BLOCK_BYTES + 1000)


def at_once(work: Callable[[], None], done: Callable[[], None]) -> None:
    """Let all work be done at once."""
    work()
    done()


class Later:
    """Work that is done when it is told to."""

    def __init__(self) -> None:
        self.under_way: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self.begun = 0

    def begin(self, work: Callable[[], None], done: Callable[[], None]) -> None:
        self.begun += 1
        self.under_way.append((work, done))

    def end(self, number: int = 0) -> None:
        """Do a piece of work that is under way."""
        work, done = self.under_way.pop(number)
        work()
        done()

    def end_all(self) -> None:
        """Do all work, and what follows of it."""
        while self.under_way:
            self.end()


class Requests:
    """What the store is asked for, and what it answers other than by itself."""

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
    """Return what the store is asked for."""
    return Requests(monkeypatch)


@pytest.fixture
def store() -> MemoryStore:
    """Return a store with two objects."""
    store = MemoryStore()
    obstore.put(store, "show/one.mp3", AUDIO)
    obstore.put(store, "long.mp3", LONG)
    return store


class Place:
    """A store in memory, work that is done later, and the long object opened."""

    def __init__(self, store: MemoryStore, requests: Requests, max_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self.clock = ManualClock()
        self.store = store
        self.requests = requests
        self.later = Later()
        self.sources = ObjectAudioSources({"s3://bucket": store}, self._begin, max_bytes, self.clock.now)
        self._opening = False

    def _begin(self, work: Callable[[], None], done: Callable[[], None]) -> None:
        (at_once if self._opening else self.later.begin)(work, done)

    def open(self, key: str = "long.mp3") -> ObjectAudioSource:
        """Open an object, and forget the request."""
        self._opening = True
        source = self.sources.open(ObjectLocator(f"s3://bucket/{key}"))
        self._opening = False
        self.requests.made.clear()
        return source

    def arrivals_of(self, source: ObjectAudioSource) -> list[None]:
        """Return a list that gets an entry whenever something arrives for the source."""
        arrivals: list[None] = []
        source.on_arrival = lambda: arrivals.append(None)
        return arrivals


@pytest.fixture
def place(store: MemoryStore, requests: Requests) -> Place:
    """Return a place with work that is done when it is told to."""
    return Place(store, requests)


class TestObjectAudioSources(AudioSourcesContract):
    """The contract, on objects."""

    @pytest.fixture
    def sources(self, store: MemoryStore) -> ObjectAudioSources:
        return ObjectAudioSources({"s3://bucket": store}, at_once)

    @pytest.fixture
    def path(self) -> str:
        return URL

    @pytest.fixture
    def missing_path(self) -> str:
        return "s3://bucket/later.mp3"

    @pytest.fixture
    def forbidden_path(self) -> str:
        return "s3://other/one.mp3"


def test_reading_asks_for_one_block_for_all_who_want_it(place: Place) -> None:
    """Whoever opened the object, and however often they ask; then they are told, once."""
    first, second = place.open(), place.open()
    arrivals = [place.arrivals_of(first), place.arrivals_of(second)]
    for source in (first, second, first):
        assert source.read(10, 1000) is None
    assert place.later.begun == 1
    place.later.end()
    assert place.requests.made == [(0, BLOCK_BYTES)]
    assert place.requests.conditions[-1] == first.audio.etag
    assert [len(each) for each in arrivals] == [1, 1]
    assert first.read(10, 1000) == LONG[10:1010]
    assert second.read(20, 1000) == LONG[20:1020]
    assert place.later.begun == 1


def test_a_read_may_lie_in_several_blocks(place: Place) -> None:
    """All of them are asked for at once; the last one ends with the object."""
    source = place.open()
    arrivals = place.arrivals_of(source)
    start = 3 * BLOCK_BYTES - 5
    length = len(LONG) - start
    assert source.read(start, length) is None
    place.later.end_all()
    assert place.requests.made == [
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
def test_the_second_half_of_a_block_asks_for_the_next_one(
    place: Place, offset: int, length: int, following: int | None
) -> None:
    """One and no more, if there is one. Nobody is told when it is there."""
    source = place.open()
    arrivals = place.arrivals_of(source)
    assert source.read(offset, length) is None
    place.later.end_all()
    assert len(arrivals) == 1
    asked = [start // BLOCK_BYTES for start, _stop in place.requests.made]
    assert asked == [offset // BLOCK_BYTES] + ([] if following is None else [following])


def test_who_wants_what_is_being_read_ahead_is_told(place: Place) -> None:
    """It is asked for once."""
    source = place.open()
    source.read(BLOCK_BYTES - 10, 10)
    arrivals = place.arrivals_of(source)
    assert source.read(BLOCK_BYTES, 10) is None
    place.later.end(1)
    assert len(arrivals) == 1
    assert source.read(BLOCK_BYTES, 10) == LONG[BLOCK_BYTES : BLOCK_BYTES + 10]
    assert place.later.begun == 2


def test_a_replaced_object_is_never_mixed(place: Place) -> None:
    """What has been read plays on, the rest is an error; whoever opens it now hears the new one."""
    source = place.open()
    source.read(0, 10)
    place.later.end()
    obstore.put(place.store, "long.mp3", bytes(len(LONG)))
    assert source.read(10, 10) == LONG[10:20]
    assert source.read(BLOCK_BYTES, 10) is None
    place.later.end()
    with pytest.raises(AudioChanged) as refusal:
        source.read(BLOCK_BYTES, 10)
    assert not refusal.value.retryable
    other = place.open()
    assert other.identity != source.identity
    assert other.read(0, 10) is None
    place.later.end()
    assert other.read(0, 10) == bytes(10)
    assert source.read(10, 10) == LONG[10:20]


def test_a_store_that_heeds_no_condition_mixes_nothing_either(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it sends says itself that it is another object."""
    source = place.open()
    obstore.put(place.store, "long.mp3", bytes(len(LONG)))
    get = obstore.get
    monkeypatch.setattr(
        obstore,
        "get",
        lambda store, path, options: get(store, path, options={"range": options["range"]}),
    )
    assert source.read(0, 10) is None
    place.later.end()
    with pytest.raises(AudioChanged):
        source.read(0, 10)


def test_a_failure_is_told_to_all_who_wait_and_forgotten(place: Place) -> None:
    """What was to be read ahead only fails without a word."""
    first, second = place.open(), place.open()
    arrivals = [place.arrivals_of(first), place.arrivals_of(second)]
    assert first.read(BLOCK_BYTES - 10, 10) is None
    assert second.read(0, 10) is None
    place.requests.error = GenericError("The store is on fire.\n\nDebug source: secret")
    place.later.end_all()
    assert [len(each) for each in arrivals] == [1, 1]
    for source in (first, second, first):
        with pytest.raises(AudioUnavailable) as refusal:
            source.read(0, 10)
        assert refusal.value.retryable
        assert "fire" not in str(refusal.value)
    place.requests.error = None
    assert second.read(BLOCK_BYTES, 10) is None
    place.clock.advance(FAILURE_SECONDS)
    assert first.read(0, 10) is None
    place.later.end_all()
    assert first.read(0, 10) == LONG[:10]
    assert second.read(BLOCK_BYTES, 10) == LONG[BLOCK_BYTES : BLOCK_BYTES + 10]


def test_what_the_store_says_is_logged_without_what_it_quotes(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """A refusal of S3 quotes what was signed, which may hold a session's token."""
    source = place.open()
    source.read(0, 10)
    place.requests.error = PermissionDeniedError(
        "GET http://store/bucket/long.mp3 - 403 Forbidden: <?xml version='1.0'?>\n"
        "<Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>x-amz-security-token:secret</CanonicalRequest>"
    )
    place.later.end()
    said = "PermissionDeniedError: GET http://store/bucket/long.mp3 - 403 Forbidden (SignatureDoesNotMatch)"
    assert caplog.messages == [f"s3://bucket/long.mp3: {said}"]
    with pytest.raises(AudioUnavailable, match="refuses access"):
        source.read(0, 10)


@pytest.mark.parametrize("error", [ValueError("What?"), OSError("No."), TimeoutError()])
def test_whatever_goes_wrong_nobody_waits_for_ever(place: Place, error: Exception) -> None:
    """The library may raise anything."""
    source = place.open()
    source.read(0, 10)
    place.requests.error = error
    place.later.end()
    with pytest.raises(AudioUnavailable):
        source.read(0, 10)


def test_closing_while_a_block_is_being_read_is_safe(place: Place) -> None:
    """Nobody is told; others hear of it, or find it there later."""
    first, second = place.open(), place.open()
    arrivals = [place.arrivals_of(first), place.arrivals_of(second)]
    first.read(0, 10)
    second.read(0, 10)
    first.read(BLOCK_BYTES, 10)
    first.close()
    place.later.end_all()
    assert [len(each) for each in arrivals] == [0, 1]
    assert second.read(0, 10) == LONG[:10]
    assert second.read(BLOCK_BYTES, 10) == LONG[BLOCK_BYTES : BLOCK_BYTES + 10]


def test_only_so_many_blocks_are_read_at_a_time(place: Place) -> None:
    """What nobody wants any more by its turn is not read; reading ahead does not queue."""
    size = (MAX_BLOCK_READS + 10) * BLOCK_BYTES
    obstore.put(place.store, "huge.mp3", bytes(size))
    source, other = place.open("huge.mp3"), place.open("huge.mp3")
    for number in range(MAX_BLOCK_READS + 2):
        assert source.read(number * BLOCK_BYTES, 10) is None
    assert source.read(BLOCK_BYTES - 10, 10) is None
    assert other.read((MAX_BLOCK_READS + 2) * BLOCK_BYTES, 10) is None
    assert len(place.later.under_way) == MAX_BLOCK_READS
    source.close()
    arrivals = place.arrivals_of(other)
    place.later.end_all()
    numbers = [start // BLOCK_BYTES for start, _stop in place.requests.made]
    assert numbers == [*range(MAX_BLOCK_READS), MAX_BLOCK_READS + 2]
    assert len(arrivals) == 1


def test_who_waits_too_long_for_a_turn_is_told(place: Place) -> None:
    """A store that hangs keeps nobody for ever."""
    size = (MAX_BLOCK_READS + 10) * BLOCK_BYTES
    obstore.put(place.store, "huge.mp3", bytes(size))
    source = place.open("huge.mp3")
    for number in range(MAX_BLOCK_READS + 1):
        source.read(number * BLOCK_BYTES, 10)
    place.clock.advance(QUEUE_SECONDS + 0.1)
    place.later.end()
    assert len(place.later.under_way) == MAX_BLOCK_READS - 1
    with pytest.raises(AudioUnavailable, match="too long"):
        source.read(MAX_BLOCK_READS * BLOCK_BYTES, 10)


def test_what_is_kept_is_bounded(store: MemoryStore, requests: Requests) -> None:
    """What was used longest ago goes first."""
    place = Place(store, requests, max_bytes=2 * BLOCK_BYTES)
    source = place.open()
    for number in (0, 1, 0, 2):
        source.read(number * BLOCK_BYTES, 10)
        place.later.end_all()
        assert source.read(number * BLOCK_BYTES, 10) is not None
    assert source.read(0, 10) is not None
    assert source.read(BLOCK_BYTES, 10) is None


def test_one_look_serves_all_who_open_an_object_meanwhile(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand listeners who come at once cost one request; who comes later costs another."""
    monkeypatch.setattr(sources, "OPEN_SECONDS", 0.0)
    locator = ObjectLocator("s3://bucket/long.mp3")
    for _ in range(3):
        with pytest.raises(AudioUnavailable, match="too long"):
            place.sources.open(locator)
    assert place.later.begun == 1
    place.later.end()
    place.open()
    assert place.requests.made == []


def test_only_so_many_objects_are_looked_up_at_a_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others have their turns."""
    monkeypatch.setattr(sources, "OPEN_SECONDS", 0.0)
    for number in range(MAX_HEAD_REQUESTS + 3):
        with pytest.raises(AudioUnavailable):
            place.sources.open(ObjectLocator(f"s3://bucket/{number}.mp3"))
    assert len(place.later.under_way) == MAX_HEAD_REQUESTS
    place.later.end_all()
    assert place.later.begun == MAX_HEAD_REQUESTS + 3


@pytest.mark.parametrize(
    ("key", "told", "data", "content_type"),
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
def test_the_media_type_is_told_by_key_store_or_content(
    place: Place, key: str, told: str | None, data: bytes, content_type: str
) -> None:
    """In this order; what is no audio to the store may be some all the same."""
    obstore.put(place.store, key, data, attributes={} if told is None else {"Content-Type": told})
    source = place.open(key)
    assert source.content_type == content_type
    assert source.size == len(data)
    assert source.read(0, 0) == b""


@pytest.mark.parametrize("key", ["one.mp3", "a b/ü?#%41.mp3", "a%2Fb", "~(x)*'", "one.mp3?versionId=5", "x" * 1024])
def test_keys_are_taken_literally(place: Place, key: str) -> None:
    """Nothing is decoded, and the scheme has one spelling."""
    locator = place.sources.locate(f"S3://bucket/{key}")
    assert locator == ObjectLocator(f"s3://bucket/{key}")
    obstore.put(place.store, key, b"abc")
    assert place.open(key).size == 3


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
def test_what_names_no_object_that_may_be_read_is_refused(place: Place, url: str, details: str) -> None:
    """Each is told why."""
    with pytest.raises(InvalidFilepath, match=details):
        place.sources.locate(url)


def test_a_bucket_that_may_be_read_no_more_is_not(place: Place) -> None:
    """The catalog may know its objects from before."""
    with pytest.raises(AudioUnavailable, match="any more"):
        place.sources.open(ObjectLocator("s3://other/one.mp3"))
    with pytest.raises(AudioUnavailable, match="grow"):
        place.sources.open(ObjectLocator(URL), growing=True)


def test_a_store_without_etags_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it sends could belong to another object than what was sent before."""

    class Answer:
        meta = {"e_tag": None, "size": 3}  # noqa: RUF012
        attributes: dict[str, str] = {}  # noqa: RUF012

    monkeypatch.setattr(obstore, "get", lambda *_args, **_options: Answer)
    with pytest.raises(AudioUnavailable, match="ETag"):
        place.open()


def test_what_is_sent_short_is_an_error(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken for the whole."""
    source = place.open()

    class Answer:
        meta = {"e_tag": source.audio.etag, "size": source.size}  # noqa: RUF012

        @staticmethod
        def bytes() -> bytes:
            return b"abc"

    monkeypatch.setattr(obstore, "get", lambda *_args, **_options: Answer)
    source.read(0, 10)
    place.later.end()
    with pytest.raises(AudioUnavailable, match="fewer"):
        source.read(0, 10)


def test_stores_are_asked_in_the_background_whether_they_can_be_reached(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not at every question; the latest answer stands until there is another."""
    monkeypatch.setattr(probe, "FIRST_PROBE_SECONDS", 0.0)
    unreachable = place.sources.unreachable
    assert unreachable() == unreachable() == {"s3://bucket": "It has not answered yet."}
    assert place.later.begun == 1
    place.later.end()
    assert unreachable() == {}
    place.clock.advance(PROBE_SECONDS - 0.1)
    assert unreachable() == {}
    assert place.later.begun == 1
    place.clock.advance(0.2)
    place.requests.error = GenericError("Gone.")
    assert unreachable() == unreachable() == {}
    place.later.end_all()
    assert unreachable() == {"s3://bucket": "The object store fails, or cannot be reached."}
    assert place.later.begun == 2


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
def test_a_refusal_of_the_one_object_is_no_refusal_of_all(
    store: MemoryStore, requests: Requests, error: Exception, problem: str | None
) -> None:
    """Who may not list a bucket hears of each missing object that access is denied."""
    requests.error = error
    found = ObjectAudioSources({"s3://bucket": store}, at_once)
    assert found.unreachable() == ({} if problem is None else {"s3://bucket": problem})


def test_stores_are_made_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each bucket."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    made = create_stores(["one", "two"], ["three"], ["four"], "http://127.0.0.1:1")
    assert list(made) == ["s3://one", "s3://two", "gs://three", "az://four"]


def test_a_configuration_without_sense_names_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line."""
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(InvalidStoreConfiguration, match=r"^ASF_AZ_CONTAINERS: 'four' .*Account must be specified$"):
        create_stores([], [], ["four"], "")
