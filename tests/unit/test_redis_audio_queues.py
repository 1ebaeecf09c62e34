"""Audio queues yield what was added to them, from any offset, and nothing else, whatever happens to Redis."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import pairwise
from uuid import uuid4

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.media_types import media_type_of
from asf.adapters.redis_store.connection import RESPONSE_SECONDS, connect
from asf.adapters.redis_store.pauses import SystemTiming
from asf.adapters.redis_store.queues import reader as queue_reader
from asf.adapters.redis_store.queues.blocks import BLOCK_BYTES, MIN_BLOCKS
from asf.adapters.redis_store.queues.entries import PREFIX
from asf.adapters.redis_store.queues.index import QueueIndex
from asf.adapters.redis_store.queues.open_queue import FAILURE_SECONDS
from asf.adapters.redis_store.queues.reader import CONNECTION_NAME, HEADS_AT_ONCE, QueueReader
from asf.adapters.redis_store.queues.source import QueueAudioSource
from asf.adapters.redis_store.queues.sources import MAX_BYTES, OPEN_ATTEMPTS, RedisAudioQueues
from asf.domain.errors import AsfError, AudioChanged, AudioUnavailable, InvalidFilepath
from asf.domain.streaming.ports import AudioSources
from asf.domain.streams.stream import AudioEnding, Locator, StreamState
from tests.contracts.audio_sources import AUDIO, AudioSourcesContract
from tests.support.bounds import HUNG_SECONDS, PATIENCE_SECONDS, STOP_SECONDS
from tests.support.fixtures import audio_of
from tests.support.processes import eventually
from tests.support.queue_producer import QueueProducer
from tests.support.redis_server import RedisServer

COMPLETE = AudioEnding(StreamState.COMPLETE)

PIECE_BYTES = 1000

MakeNode = Callable[..., RedisAudioQueues]


def start_thread(work: Callable[[], object]) -> threading.Thread:
    """Run in a thread what a server runs in a green thread."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


class HastyTiming(SystemTiming):
    """Time that can be moved forward."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def now(self) -> float:
        return super().now() + self.skipped


class Nodes:
    """The queues of several servers on one Redis."""

    def __init__(self, server: RedisServer) -> None:
        self.redis = server
        self.timing = HastyTiming()
        self._threads: list[threading.Thread] = []
        self._clients: list[redis.Redis] = []
        self._sources: list[QueueAudioSource] = []

    def client(self) -> redis.Redis:
        """Return a client of a producer."""
        self._clients.append(self.redis.client())
        return self._clients[-1]

    def producer(self, name: str | None = None) -> QueueProducer:
        """Return a producer, of a queue of its own unless it is named."""
        return QueueProducer(self.client(), name or uuid4().hex)

    def node(
        self,
        max_bytes: int = MAX_BYTES,
        fetch_seconds: float = PATIENCE_SECONDS,
        answer_seconds: float = PATIENCE_SECONDS,
    ) -> RedisAudioQueues:
        """Return what one server has."""
        self._clients.append(connect(self.redis.url_with(answer_seconds)))
        return RedisAudioQueues(
            self._clients[-1], self._start, media_type_of, max_bytes, fetch_seconds, timing=self.timing
        )

    def open(self, node: RedisAudioQueues, producer: QueueProducer, *, growing: bool = True) -> QueueAudioSource:
        """Open a queue, to be closed at the end."""
        self._sources.append(node.open(node.locate(producer.locator), growing=growing))
        return self._sources[-1]

    def wait_for_tasks(self) -> None:
        """Wait until all that nodes have started has ended."""
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()

    def _start(self, work: Callable[[], object]) -> None:
        self._threads.append(start_thread(work))

    def close(self) -> None:
        """Close all."""
        for source in self._sources:
            source.close()
        for client in self._clients:
            client.close()


@pytest.fixture
def nodes(shared_redis: RedisServer) -> Iterator[Nodes]:
    """Return nodes on a Redis that stays."""
    nodes = Nodes(shared_redis)
    yield nodes
    nodes.close()


@pytest.fixture
def mortal_nodes(mortal_redis: RedisServer) -> Iterator[Nodes]:
    """Return nodes on a Redis to do harm to, which keeps nothing."""
    nodes = Nodes(mortal_redis)
    yield nodes
    nodes.close()


@pytest.fixture
def persistent_nodes(persistent_redis: RedisServer) -> Iterator[Nodes]:
    """Return nodes on a Redis to do harm to, which keeps everything."""
    nodes = Nodes(persistent_redis)
    yield nodes
    nodes.close()


def read(source: QueueAudioSource, offset: int, length: int) -> bytes:
    """Read, and wait for what is being fetched."""
    while True:
        arrived = threading.Event()
        source.on_arrival = arrived.set
        data = source.read(offset, length)
        if data is not None:
            return data
        assert arrived.wait(PATIENCE_SECONDS), "Nothing has arrived"


def all_of(source: QueueAudioSource) -> bytes:
    """Return all that there is."""
    step = 3 * BLOCK_BYTES // 2
    return b"".join(read(source, offset, min(step, source.size - offset)) for offset in range(0, source.size, step))


def wait_for_size(source: QueueAudioSource, size: int) -> None:
    """Wait until it has grown to so many bytes."""
    eventually(lambda: source.refresh() >= size)
    assert source.size == size


def wait_for_end(source: QueueAudioSource) -> AudioEnding | None:
    """Wait until it has ended, and return how."""
    eventually(lambda: source.refresh() >= 0 and source.ending)
    return source.ending


def problem_of(source: QueueAudioSource) -> AsfError | None:
    """Return the error of the queue."""
    try:
        source.refresh()
    except AudioUnavailable as error:
        return error
    return None


def add(producer: QueueProducer, audio: bytes) -> None:
    """Put in a few pieces."""
    producer.put_all(audio, PIECE_BYTES)


class NoticingQueues(RedisAudioQueues):
    """Knows which sources were opened as growing."""

    growing: list[QueueAudioSource]

    def open(self, locator: Locator, *, growing: bool = False) -> QueueAudioSource:
        source = super().open(locator, growing=growing)
        if growing:
            self.growing.append(source)
        return source


class TestRedisAudioQueues(AudioSourcesContract):
    """The contract, in a real Redis. What happens to a queue is noticed a moment later."""

    @pytest.fixture
    def sources(self, shared_redis: RedisServer) -> Iterator[AudioSources]:
        client = connect(shared_redis.url)
        self.client = shared_redis.client()
        self.queues = NoticingQueues(client, start_thread, media_type_of)
        self.queues.growing = []
        yield self.queues
        for source in self.queues.growing:
            source.close()
        client.close()
        self.client.close()

    @pytest.fixture
    def path(self, sources: AudioSources) -> str:
        assert sources is self.queues
        self.producer = QueueProducer(self.client, f"{uuid4().hex}.mp3")
        add(self.producer, AUDIO)
        return self.producer.locator

    @pytest.fixture
    def missing_path(self) -> str:
        return "queue:missing.mp3"

    @pytest.fixture
    def forbidden_path(self) -> str:
        return "queue:"

    def grow(self, path: str, audio: bytes) -> None:
        assert path == self.producer.locator
        if len(audio) > len(AUDIO):
            add(self.producer, audio[len(AUDIO) :])
        else:
            self.client.xtrim(self.producer.key, 3, approximate=False)
        self._wait_until_noticed(len(audio))

    def rewrite(self, path: str, audio: bytes) -> None:
        assert path == self.producer.locator
        self.producer.delete()
        add(self.producer, audio)
        self._wait_until_noticed(-1)

    def move(self, path: str) -> None:
        assert path == self.producer.locator
        self.client.rename(self.producer.key, self.producer.key + ":moved")
        self._wait_until_noticed(-1)

    def _wait_until_noticed(self, size: int) -> None:
        for source in self.queues.growing:
            index = source._opened.index  # noqa: SLF001 - nothing else tells without a look
            eventually(partial(_has_noticed, index, size))


def _has_noticed(index: QueueIndex, size: int) -> bool:
    return index.problem is not None or index.size == size


@given(data=st.data())
def test_any_pieces_and_repeats_are_the_same_audio(shared_redis: RedisServer, data: st.DataObject) -> None:
    """However it was cut, whatever was put in again, wherever and whenever it is read, and however little is kept."""
    nodes = Nodes(shared_redis)
    audio = audio_of(data.draw(st.integers(1, 3 * BLOCK_BYTES), label="length"), seed=2)
    cuts = data.draw(st.lists(st.integers(0, len(audio)), max_size=40), label="cuts")
    places = sorted({0, *cuts, len(audio)})
    producer = nodes.producer()
    early = nodes.open(nodes.node(0), producer)
    for start, stop in pairwise(places):
        producer.add(offset=start, audio=audio[start:stop])
        again = data.draw(st.none() | st.tuples(st.integers(0, stop), st.integers(0, stop)), label="repeat")
        if again is not None:
            producer.add(offset=min(again), audio=audio[min(again) : max(again)])
    producer.add(offset=len(audio), end="complete")
    for _ in range(data.draw(st.integers(0, 5), label="stragglers")):
        producer.add(offset=0, audio=audio[: places[1]])
    late = nodes.open(nodes.node(0), producer)
    for source in (early, late):
        assert wait_for_end(source) == COMPLETE
        assert source.size == len(audio)
        for place in data.draw(st.lists(st.tuples(*[st.integers(0, len(audio))] * 2), max_size=10), label="reads"):
            assert read(source, min(place), max(place) - min(place)) == audio[min(place) : max(place)]
        assert all_of(source) == audio
    assert early.identity == late.identity
    nodes.close()


def test_it_grows_for_all_nodes(nodes: Nodes) -> None:
    """With its end, and why it came."""
    producer = nodes.producer()
    sources = [nodes.open(nodes.node(), producer) for _ in range(2)]
    assert [source.size for source in sources] == [0, 0]
    audio = audio_of(50_000)
    for start in range(0, len(audio), 5000):
        producer.put(audio[start : start + 5000])
        for source in sources:
            wait_for_size(source, start + 5000)
            assert source.ending is None
            assert read(source, start, 5000) == audio[start : start + 5000]
    producer.end("failed", "The voice is lost.")
    for source in sources:
        assert wait_for_end(source) == AudioEnding(StreamState.FAILED, "The voice is lost.")
        assert all_of(source) == audio


def test_a_late_one_knows_the_end_at_once(nodes: Nodes) -> None:
    """However long the queue is, and although its end was put in twice, with a repeat behind it."""
    producer = nodes.producer()
    audio = audio_of(2_000_000)
    producer.put_all(audio)
    producer.end()
    producer.end()
    producer.add(offset=0, audio=audio[:4096])
    source = nodes.open(nodes.node(), producer)
    assert (source.size, source.ending) == (len(audio), COMPLETE)
    assert read(source, len(audio) - 10, 10) == audio[-10:]
    assert all_of(source) == audio


def test_the_first_pieces_are_there_at_once(nodes: Nodes) -> None:
    """Without another look."""
    producer = nodes.producer()
    producer.put(b"first")
    producer.put(b" audio")
    source = nodes.open(nodes.node(), producer)
    assert source.read(0, 11) == b"first audio"


def test_a_read_under_way_holds_up_nothing(mortal_nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that is opened while others are waited for has its pieces sooner than those waits end."""
    monkeypatch.setattr(queue_reader, "BLOCK_MILLISECONDS", 3_600_000)
    nodes = mortal_nodes
    node = nodes.node()
    client = nodes.client()
    nodes.open(node, nodes.producer())
    for _ in range(10):
        producer = QueueProducer(client, uuid4().hex)
        eventually(lambda: "b" in [each["flags"] for each in client.client_list()])  # It waits.
        source = nodes.open(node, producer)
        producer.put(b"audio")
        wait_for_size(source, 5)


def test_a_queue_is_told_from_its_name(nodes: Nodes) -> None:
    """One that was deleted after its end and recreated is another; listeners of the first keep to it."""
    node, producer = nodes.node(0), nodes.producer()
    add(producer, AUDIO)
    producer.end()
    first = nodes.open(node, producer)
    identity = first.identity
    producer.delete()
    add(producer, AUDIO[::-1])
    producer.end()
    second = nodes.open(node, producer)
    assert all_of(second) == AUDIO[::-1]
    assert (first.size, first.ending, first.identity) == (len(AUDIO), COMPLETE, identity)
    assert second.identity != identity
    assert read_or_error(first, 0, len(AUDIO)) in {AUDIO, None}


def read_or_error(source: QueueAudioSource, offset: int, length: int) -> bytes | None:
    """Read; None where that ends in an error."""
    try:
        return read(source, offset, length)
    except AudioUnavailable:
        return None


@pytest.mark.parametrize("change", ["deleted", "trimmed", "replaced", "recreated"])
def test_a_growing_queue_that_changes_is_an_error(nodes: Nodes, change: str) -> None:
    """It is noticed although nothing comes any more, and on every node. Nothing of another making is read."""
    producer = nodes.producer()
    audio = audio_of(10 * BLOCK_BYTES)
    add(producer, audio)
    sources = [nodes.open(nodes.node(), producer) for _ in range(2)]
    for source in sources:
        wait_for_size(source, len(audio))
    client = nodes.client()
    match change:
        case "deleted":
            producer.delete()
        case "trimmed":
            client.xtrim(producer.key, 10, approximate=False)
        case "replaced":
            with client.pipeline() as pipeline:
                pipeline.delete(producer.key)
                pipeline.set(producer.key, "text")
                pipeline.execute()
        case _:
            producer.delete()
            add(producer, audio[::-1] + audio)  # Longer by far than what was heard.
    for source in sources:
        error = eventually(partial(problem_of, source))
        assert isinstance(error, AudioUnavailable if change == "replaced" else AudioChanged)
        assert source.size == len(audio)
        assert all_of(source) == audio  # It is all in memory.


@pytest.mark.parametrize("change", ["deleted", "trimmed", "recreated"])
def test_what_cannot_be_fetched_is_an_error(nodes: Nodes, change: str) -> None:
    """Of a queue that has ended, and is not in memory."""
    producer = nodes.producer()
    audio = audio_of(100 * BLOCK_BYTES)
    producer.put_all(audio)
    producer.end()
    fresh, used = (nodes.open(nodes.node(0), producer) for _ in range(2))
    assert all_of(used) == audio
    producer_key = producer.key
    match change:
        case "deleted":
            producer.delete()
        case "trimmed":
            nodes.client().xtrim(producer_key, 100, approximate=False)
        case _:
            producer.delete()
            producer.put_all(audio[::-1])
            producer.end()
    for source in (fresh, used):
        with pytest.raises(AudioChanged):
            read(source, 50 * BLOCK_BYTES, 1000)
        assert (source.refresh(), source.ending) == (len(audio), COMPLETE)


def test_what_has_expired_is_empty(nodes: Nodes) -> None:
    """A queue of which nothing is left is none that has not begun, to those who have it open."""
    producer = nodes.producer()
    producer.put(b"audio")
    source = nodes.open(nodes.node(), producer)
    nodes.client().pexpire(producer.key, 1)
    error = eventually(lambda: problem_of(source))
    assert "expired" in str(error)


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ([{"offset": 5, "audio": b"audio"}], "missing bytes 0 to 4"),
        ([{"offset": 0, "audio": b"audio"}, {"offset": 6, "audio": b"audio"}], "missing bytes 5 to 5"),
        ([{"offset": 0, "audio": b"audio"}, {"offset": 6, "end": "complete"}], "missing bytes 5 to 5"),
        ([{"offset": 0, "audio": b"audio"}, {"offset": 4, "end": "complete"}], "beyond its end at byte 4"),
        ([{"offset": "five", "audio": b"audio"}], "'offset'"),
        ([{"offset": -1, "audio": b"audio"}], "'offset'"),
        ([{"offset": 2**53, "audio": b"audio"}], "'offset'"),
        ([{"offset": "9" * 5000, "audio": b"audio"}], "'offset'"),
        ([{"offset": "²", "audio": b"audio"}], "'offset'"),
        ([{"audio": b"audio"}], "'offset'"),
        ([{"offset": 0}], "'audio'"),
        ([{"offset": 0, "audio": b"", "end": "complete"}], "both"),
        ([{"offset": 0, "end": "done"}], "'end'"),
    ],
)
@pytest.mark.parametrize("is_late", [True, False])
def test_an_entry_that_makes_no_sense_is_an_error(
    nodes: Nodes, entries: Sequence[dict[str, bytes | str | int]], problem: str, *, is_late: bool
) -> None:
    """Each listener gets the problem, sooner or later."""
    producer = nodes.producer()
    node = nodes.node()
    if is_late:
        for entry in entries:
            producer.add(**entry)
        source = nodes.open(node, producer)
    else:
        source = nodes.open(node, producer)
        for entry in entries:
            producer.add(**entry)

    def found() -> AsfError | None:
        if source.ending is None:
            return problem_of(source)
        with pytest.raises(AudioUnavailable) as failure:
            read(source, 0, source.size)
        return failure.value

    error = eventually(found)
    assert problem in str(error)


def test_a_key_that_is_no_queue_harms_no_other(nodes: Nodes) -> None:
    """Whether it was none when it was opened, or has become one of another kind."""
    node = nodes.node()
    wrong, right = nodes.producer(), nodes.producer()
    opened = nodes.open(node, right)
    nodes.client().set(wrong.key, "text")
    assert "is not a stream" in str(problem_of(nodes.open(node, wrong)))
    becomes_wrong = nodes.open(node, other := nodes.producer())
    nodes.client().set(other.key, "text")
    assert "is not a stream" in str(eventually(lambda: problem_of(becomes_wrong)))
    right.put(b"audio")
    wait_for_size(opened, 5)


def test_two_hundred_queues_share_one_connection(mortal_nodes: Nodes) -> None:
    """Whatever comes to any of them is read over it, and it is closed when none is open any more."""
    nodes = mortal_nodes
    node = nodes.node()
    client = nodes.client()
    producers = [QueueProducer(client, uuid4().hex) for _ in range(200)]
    sources = [nodes.open(node, producer) for producer in producers]
    for _ in range(5):
        for producer in producers:
            producer.put(b"audio")
    assert len(readers_of(client)) == 1
    for producer in producers:
        producer.end()
    for source in sources:
        assert wait_for_end(source) == COMPLETE
        assert all_of(source) == b"audio" * 5
    last = nodes.open(node, nodes.producer())
    eventually(lambda: len(readers_of(client)) == 1)
    for source in (*sources, last):
        source.close()
    assert len(node) == 0
    eventually(lambda: not readers_of(client))


def test_many_queues_are_looked_at_in_steps(mortal_redis: RedisServer) -> None:
    """So that Redis can run other commands in between."""
    with closing(connect(mortal_redis.url_with(PATIENCE_SECONDS))) as client:
        keys = [f"{PREFIX}{number}".encode() for number in range(HEADS_AT_ONCE + 1)]
        client.xadd(keys[-1], {"offset": 0, "audio": b"x"})
        reader = QueueReader(client)
        heads = reader.heads(keys)
        reader.disconnect()
        assert [key for key, head in heads.items() if head] == keys[-1:]
        assert list(heads) == keys
        assert client.info("commandstats")["cmdstat_eval"]["calls"] == 2


def readers_of(client: redis.Redis) -> list[str]:
    """Return the addresses of those who follow queues."""
    return [each["addr"] for each in client.client_list() if each["name"] == CONNECTION_NAME]


def test_memory_is_bounded(nodes: Nodes) -> None:
    """Many readers at different places of a long queue keep no more than they may, and all get their bytes."""
    producer = nodes.producer()
    audio = audio_of(8 * 1024 * 1024)
    producer.put_all(audio, 16 * 1024)
    node = nodes.node(0)
    source = nodes.open(node, producer)
    wait_for_size(source, len(audio))
    producer.end()
    wait_for_end(source)
    wrong = []

    def listen(start: int) -> None:
        for offset in range(start, start + 1_000_000, 50_000):
            mine = nodes_open(node, producer)
            wrong.extend([offset] * (read(mine, offset, 50_000) != audio[offset : offset + 50_000]))
            mine.close()

    threads = [threading.Thread(target=listen, args=[start * 1_000_000]) for start in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert not wrong
    assert len(node._blocks) <= MIN_BLOCKS  # noqa: SLF001 - what is to be bounded


def nodes_open(node: RedisAudioQueues, producer: QueueProducer) -> QueueAudioSource:
    """Open a queue, to be closed by the caller."""
    return node.open(node.locate(producer.locator), growing=True)


def test_what_many_want_is_fetched_once(nodes: Nodes) -> None:
    """All readers wait for the same fetch."""
    producer = nodes.producer()
    audio = audio_of(4 * 1024 * 1024)
    producer.put_all(audio)
    producer.end()
    node = nodes.node(0)
    source = nodes.open(node, producer)
    assert all_of(source) == audio
    client = nodes.client()
    before = client.info("commandstats")["cmdstat_xrange"]["calls"]
    arrived = threading.Event()
    source.on_arrival = arrived.set
    reads = [source.read(100, 1000) for _ in range(50)]  # The fetch may end before the last of them.
    assert reads[0] is None
    assert set(reads) <= {None, audio[100:1100]}
    assert arrived.wait(PATIENCE_SECONDS)
    assert source.read(100, 1000) == audio[100:1100]
    after = client.info("commandstats")["cmdstat_xrange"]["calls"]
    assert after - before <= 2


@pytest.mark.parametrize("harm", ["kill", "hang"])
def test_a_lost_redis_loses_no_byte(persistent_nodes: Nodes, harm: str, caplog: pytest.LogCaptureFixture) -> None:
    """What is in memory is read on; when Redis is back the queue grows on, and what is not in memory is fetched."""
    nodes, server = persistent_nodes, persistent_nodes.redis
    producer = nodes.producer()
    audio = audio_of(3_000_000)
    producer.put_all(audio[:2_900_000])
    sources = [nodes.open(nodes.node(0), producer) for _ in range(2)]
    for source in sources:
        wait_for_size(source, 2_900_000)
    if harm == "kill":
        server.kill()
    else:
        server.hang()
    assert sources[0].read(2_850_000, 50_000) == audio[2_850_000:2_900_000]
    assert sources[0].read(0, 1000) is None  # Being fetched.
    assert sources[0].refresh() == 2_900_000
    if harm == "kill":
        server.start()
    else:
        eventually(lambda: "Audio queues cannot be read" in caplog.text)
        server.resume()
    again = QueueProducer(nodes.client(), producer.name)
    again.offset = producer.offset - 8192  # What it does not know to be there, it puts in again.
    again.put_all(audio[again.offset :])
    again.end()
    for source in sources:
        assert wait_for_end(source) == COMPLETE
        assert all_of(source) == audio


@pytest.mark.parametrize("again_from", [990_000, 2_500_000], ids=["what was lost", "what is new"])
@pytest.mark.parametrize("clock", ["ahead", "behind", "catching up"])
def test_a_redis_that_comes_back_with_less_is_followed_on(
    persistent_nodes: Nodes, clock: str, again_from: int
) -> None:
    """Whatever the ids of new entries are, by the clock of the machine on which it is then."""
    nodes, server = persistent_nodes, persistent_nodes.redis
    client, producer = nodes.client(), nodes.producer()
    audio = audio_of(3_000_000)
    producer.put_all(audio[:1_000_000])
    written = server.written
    last_id = client.xinfo_stream(producer.key)["last-generated-id"].decode()
    producer.put_all(audio[1_000_000:2_500_000])
    sources = [nodes.open(nodes.node(0), producer) for _ in range(2)]
    for source in sources:
        wait_for_size(source, 2_500_000)
    server.kill()
    server.start(written)
    again = QueueProducer(nodes.client(), producer.name)
    if clock != "ahead":
        again.entry_id = f"{last_id.partition('-')[0]}-*"
    again.offset = again_from
    again.put_all(audio[again_from:2_600_000])
    if clock == "catching up":
        again.entry_id = "*"
    again.put_all(audio[2_600_000:])
    again.end()
    for source in sources:
        assert wait_for_end(source) == COMPLETE
        assert source.size == len(audio)
        assert read(source, 2_400_000, 600_000) == audio[2_400_000:]
        if again_from < 1_000_000:
            assert all_of(source) == audio  # Most of it is no longer in memory.


def test_a_redis_that_comes_back_empty_mixes_nothing(mortal_nodes: Nodes) -> None:
    """The producer starts again, with other bytes: listeners of the old ones get an error."""
    nodes, server = mortal_nodes, mortal_nodes.redis
    producer = nodes.producer()
    audio = audio_of(100_000)
    add(producer, audio)
    node = nodes.node(0)
    old = nodes.open(node, producer)
    wait_for_size(old, len(audio))
    server.kill()
    server.start()
    recreated = QueueProducer(nodes.client(), producer.name)
    other = audio_of(200_000, seed=9)
    add(recreated, other)
    recreated.end()
    error = eventually(lambda: problem_of(old))
    assert isinstance(error, AudioChanged)
    assert not error.retryable
    assert old.size == len(audio)
    for offset in range(0, len(audio), 10_000):
        assert read_or_error(old, offset, 10_000) in {audio[offset : offset + 10_000], None}
    new = nodes.open(node, producer)
    assert wait_for_end(new) == COMPLETE
    assert all_of(new) == other


@pytest.mark.parametrize("harm", ["kill", "hang"])
def test_a_queue_that_is_open_can_be_opened_while_redis_is_lost(
    persistent_nodes: Nodes, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any other is a temporary error meanwhile: unknown must not pass for missing."""
    looks: list[bytes] = []
    look = RedisAudioQueues._read_ends  # noqa: SLF001 - it is to be counted

    def count_look(node: RedisAudioQueues, key: bytes) -> object:
        looks.append(key)
        return look(node, key)

    monkeypatch.setattr(RedisAudioQueues, "_read_ends", count_look)
    nodes, server = persistent_nodes, persistent_nodes.redis
    known, unknown = nodes.producer(), nodes.producer()
    for producer in (known, unknown):
        add(producer, AUDIO)
    node = nodes.node(answer_seconds=HUNG_SECONDS)
    nodes.open(node, known)
    looks.clear()
    if harm == "kill":
        server.kill()
    else:
        server.hang()
    with ThreadPoolExecutor() as threads:
        opening = threads.submit(nodes.open, node, known)
        refused = [
            threads.submit(nodes.open, node, producer, growing=growing)
            for producer, growing in [(known, False), (unknown, True), (unknown, False)]
        ]
        again = opening.result(STOP_SECONDS)
        assert all_of(again) == AUDIO
        for one in refused:
            with pytest.raises(AudioUnavailable, match="Redis") as failure:
                one.result(STOP_SECONDS)
            assert failure.value.retryable
    assert len(looks) == 4 * OPEN_ATTEMPTS
    if harm == "kill":
        server.start()
    else:
        server.resume()
    for producer in (known, unknown):
        recreated = QueueProducer(nodes.client(), producer.name)
        recreated.offset = len(AUDIO)
        recreated.end()
        source = eventually(partial(open_or_none, nodes, node, producer))
        assert wait_for_end(source) == COMPLETE
        assert all_of(source) == AUDIO
    assert wait_for_end(again) == COMPLETE


def test_to_open_a_queue_takes_a_bounded_time() -> None:
    """That is what its time-outs are together where Redis is hung: it takes connections all the same."""
    assert OPEN_ATTEMPTS * 2 * RESPONSE_SECONDS < 1.5


def open_or_none(nodes: Nodes, node: RedisAudioQueues, producer: QueueProducer) -> QueueAudioSource | None:
    """Open a queue; None where that ends in an error."""
    try:
        return nodes.open(node, producer)
    except AudioUnavailable:
        return None


def test_what_cannot_be_fetched_for_long_is_an_error(mortal_nodes: Nodes) -> None:
    """After a bounded time; later reads try again."""
    nodes, server = mortal_nodes, mortal_nodes.redis
    producer = nodes.producer()
    audio = audio_of(4 * 1024 * 1024)
    producer.put_all(audio)
    producer.end()
    node = nodes.node(0, fetch_seconds=0.2, answer_seconds=HUNG_SECONDS)
    source = nodes.open(node, producer)
    all_of(source)
    server.hang()
    with pytest.raises(AudioUnavailable, match="Redis") as failure:
        read(source, 0, 1000)
    assert failure.value.retryable
    server.resume()
    nodes.timing.skipped += FAILURE_SECONDS
    assert eventually(lambda: read_or_error(source, 0, 1000)) == audio[:1000]


def test_a_failed_one_ends_where_it_is(nodes: Nodes) -> None:
    """One that was announced as failed, without having said so itself."""
    producer = nodes.producer()
    audio = audio_of(200_000)
    producer.put_all(audio)
    source = nodes.open(nodes.node(), producer, growing=False)
    producer.put_all(audio)
    assert source.refresh() == len(audio)
    assert all_of(source) == audio
    producer.end()
    assert all_of(source) == audio


def test_closing_while_something_is_fetched_does_no_harm(nodes: Nodes) -> None:
    """No reader is called any more."""
    producer = nodes.producer()
    producer.put_all(audio_of(4 * 1024 * 1024))
    producer.end()
    node = nodes.node(0)
    told = threading.Event()
    for _ in range(20):
        source = nodes.open(node, producer)
        source.on_arrival = told.set
        assert source.read(3_000_000, 10) is None
        source.close()
        told.clear()  # It may have arrived before.
    assert len(node) == 0
    nodes.wait_for_tasks()
    assert not told.is_set()
    with pytest.raises(AudioUnavailable):
        source.refresh()


@pytest.mark.parametrize(
    "filepath",
    ["queue:", "queue: ", "queue:" + "x" * 256, "queue:a\nb", "queue:\ud800", "queue://name", "other:name"],
)
def test_a_name_that_is_none_is_refused(nodes: Nodes, filepath: str) -> None:
    """With what is wrong."""
    with pytest.raises(InvalidFilepath) as refusal:
        nodes.node().locate(filepath)
    assert refusal.value.details


@pytest.mark.parametrize("name", ["x", "a:b/c", "größe", "x" * 255])
def test_a_name_keeps_its_letters(nodes: Nodes, name: str) -> None:
    """The scheme may be written in any case."""
    locator = nodes.node().locate(f"QUEUE:{name}")
    assert locator.text == f"queue:{name}"


@pytest.mark.parametrize(
    ("name", "audio", "content_type"),
    [("one.ogg", b"ID3...", "audio/ogg"), ("one", b"ID3" + bytes(20), "audio/mpeg"), ("one", b"?", None)],
)
def test_name_or_content_tell_the_type(nodes: Nodes, name: str, audio: bytes, content_type: str | None) -> None:
    """As with files."""
    producer = nodes.producer(f"{uuid4().hex}{name}")
    source = nodes.open(nodes.node(), producer)
    producer.put(audio)
    wait_for_size(source, len(audio))
    assert source.content_type == (content_type or "application/octet-stream")
