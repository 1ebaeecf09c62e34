"""News over Redis: everything that is published on topics that are followed, or word that some may be lost."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from queue import Empty, Queue
from uuid import uuid4

import pytest
import redis

from asf.adapters.redis_store import pubsub
from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.pubsub import CONFIRMATION_SECONDS, CONNECTION_SECONDS, RedisPubSub, SubscribeFailed
from tests.support.bounds import STOP_SECONDS
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.usefixtures("patient_news")


class Reader:
    """News that are heard by a thread, and how often something may have been missed."""

    def __init__(self, server: RedisServer) -> None:
        self.client = connect(server.url)
        self.news = RedisPubSub(self.client)
        self.interruptions = 0
        self.news.on_interrupted.append(self._count)
        self._thread = threading.Thread(target=self.news.run, daemon=True)
        self._thread.start()

    def was_interrupted(self, times: int) -> bool:
        """Return whether it has begun anew so often, and no more."""
        return self.interruptions == times + 1

    def close(self) -> None:
        """End it."""
        self.news.close()
        self._thread.join(STOP_SECONDS)
        assert not self._thread.is_alive()
        self.client.close()

    def _count(self) -> None:
        self.interruptions += 1


StartReader = Callable[[RedisServer], Reader]


@pytest.fixture
def start_reader() -> Iterator[StartReader]:
    """Return a function that starts a reader, and waits until it hears. All are ended at the end."""
    readers: list[Reader] = []

    def start(server: RedisServer) -> Reader:
        readers.append(Reader(server))
        eventually(lambda: readers[-1].interruptions)
        return readers[-1]

    yield start
    for reader in readers:
        reader.close()


@pytest.fixture
def topic() -> str:
    """Return a topic that nobody else has, with letters beyond ASCII."""
    return f"topic ü {uuid4().hex}"


def followers(client: redis.Redis, topic: str) -> int:
    """Return how many servers follow a topic, as Redis has it."""
    return int(client.pubsub_numsub(topic)[0][1])


def has_heard(heard: list[bytes], message: bytes) -> bool:
    """Return whether a message is the latest that was heard."""
    return heard[-1:] == [message]


def test_everything_is_heard_in_its_order(shared_redis: RedisServer, start_reader: StartReader, topic: str) -> None:
    """From the moment that following has returned, on each topic by itself, whatever the bytes are."""
    reader = start_reader(shared_redis)
    heard: dict[str, list[bytes]] = {f"{topic} {number}": [] for number in range(3)}
    with closing(shared_redis.client()) as client:
        for name, messages in heard.items():
            reader.news.follow(name, messages.append)
            client.publish(name, b"\r\n\x00first")
        for number in range(1000):
            client.publish(f"{topic} {number % 3}", str(number))
    eventually(lambda: sum(map(len, heard.values())) == 1003)
    for first, messages in enumerate(heard.values()):
        assert messages == [b"\r\n\x00first", *(str(number).encode() for number in range(first, 1000, 3))]


def test_what_is_published_right_after_following_is_never_missed(
    shared_redis: RedisServer, start_reader: StartReader, topic: str
) -> None:
    """By many threads at once, while others follow and leave."""
    reader = start_reader(shared_redis)
    numbers = count()
    missed: list[str] = []

    def come_and_go() -> None:
        with closing(shared_redis.client()) as client:
            for _ in range(100):
                name = f"{topic} {next(numbers)}"
                came: Queue[bytes] = Queue()
                reader.news.follow(name, came.put)
                client.publish(name, "")
                try:
                    came.get(timeout=STOP_SECONDS)
                except Empty:
                    missed.append(name)
                reader.news.unfollow(name)

    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert next(numbers) == 800
    assert missed == []


def test_who_leaves_hears_nothing_any_more(shared_redis: RedisServer, start_reader: StartReader, topic: str) -> None:
    """And Redis is told, soon. Leaving what nobody follows does no harm."""
    reader = start_reader(shared_redis)
    left: list[bytes] = []
    stays: list[bytes] = []
    reader.news.follow(topic, left.append)
    reader.news.follow(topic + " stays", stays.append)
    reader.news.unfollow(topic)
    reader.news.unfollow("unknown")
    with closing(shared_redis.client()) as client:
        client.publish(topic, "late")
        client.publish(topic + " stays", "news")
        eventually(lambda: stays)
        assert left == []
        eventually(lambda: followers(client, topic) == 0)
        assert followers(client, topic + " stays") == 1


def test_who_leaves_and_comes_back_hears_again(
    shared_redis: RedisServer, start_reader: StartReader, topic: str
) -> None:
    """However fast: Redis is not told to forget the topic afterwards."""
    reader = start_reader(shared_redis)
    heard: list[bytes] = []
    with closing(shared_redis.client()) as client:
        for number in range(50):
            reader.news.follow(topic, heard.append)
            client.publish(topic, str(number))
            eventually(partial(has_heard, heard, str(number).encode()))
            reader.news.unfollow(topic)
        reader.news.follow(topic, heard.append)
        reader.news.follow(topic + " unwanted", heard.append)
        reader.news.unfollow(topic + " unwanted")
        # Redis is told of all that nobody wants at once.
        eventually(lambda: followers(client, topic + " unwanted") == 0)
        client.publish(topic, "last")
        eventually(partial(has_heard, heard, b"last"))


def test_a_listener_that_fails_harms_nobody_else(
    shared_redis: RedisServer, start_reader: StartReader, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; other topics, and the same one, are heard further."""
    reader = start_reader(shared_redis)
    heard: list[bytes] = []

    def fail(payload: bytes) -> None:
        heard.append(payload)
        raise RuntimeError("broken")

    reader.news.follow(topic, fail)
    with closing(shared_redis.client()) as client:
        client.publish(topic, "one")
        client.publish(topic, "two")
        eventually(lambda: len(heard) == 2)
    assert "A listener of a Redis channel failed" in caplog.text
    assert reader.interruptions == 1


def test_a_callback_that_fails_harms_nobody_else(mortal_redis: RedisServer, start_reader: StartReader) -> None:
    """The others are called all the same."""
    reader = start_reader(mortal_redis)

    def fail() -> None:
        raise RuntimeError("broken")

    reader.news.on_interrupted.insert(0, fail)
    with closing(mortal_redis.client()) as client:
        client.client_kill_filter(skipme=True)
        eventually(lambda: reader.interruptions == 2)


def assert_hears(reader: Reader, server: RedisServer, topic: str, heard: list[bytes]) -> None:
    """What is published on a topic from now on is heard, and whoever comes may follow another."""
    mark = uuid4().hex.encode()
    with closing(server.client()) as client:
        client.publish(topic, mark)
        eventually(lambda: heard and heard[-1] == mark)
        others: list[bytes] = []
        reader.news.follow(f"another {mark!r}", others.append)
        client.publish(f"another {mark!r}", mark)
        eventually(lambda: others == [mark])


def test_a_connection_that_is_lost_is_opened_anew(
    mortal_redis: RedisServer, start_reader: StartReader, topic: str
) -> None:
    """With all topics; then it is told that something may have been missed."""
    reader = start_reader(mortal_redis)
    heard: list[bytes] = []
    reader.news.follow(topic, heard.append)
    for number in range(3):
        with closing(mortal_redis.client()) as client:
            assert client.client_kill_filter(_type="pubsub", skipme=True) == 1
        eventually(partial(reader.was_interrupted, number + 1))
        assert_hears(reader, mortal_redis, topic, heard)


def assert_refuses(reader: Reader, heard: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants to follow something is told that it cannot be, with the product's own time-outs."""
    with monkeypatch.context() as hasty:
        hasty.setattr(pubsub, "CONNECTION_SECONDS", CONNECTION_SECONDS)
        hasty.setattr(pubsub, "CONFIRMATION_SECONDS", CONFIRMATION_SECONDS)
        with pytest.raises(SubscribeFailed):
            reader.news.follow("too late", heard.append)


def test_following_takes_half_a_second_at_most() -> None:
    """That is what its two waits are together; and a silence is noticed within two."""
    assert CONNECTION_SECONDS + CONFIRMATION_SECONDS < 0.5
    assert 2 * pubsub.SILENCE_SECONDS <= 2.0


def test_a_redis_that_is_killed_and_comes_back(
    mortal_redis: RedisServer,
    start_reader: StartReader,
    topic: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Meanwhile nobody can follow anything, and hears of it before it is back; it is logged once."""
    reader = start_reader(mortal_redis)
    heard: list[bytes] = []
    reader.news.follow(topic, heard.append)
    mortal_redis.kill()
    eventually(lambda: not reader.news.is_connected)
    for _ in range(5):
        assert_refuses(reader, heard, monkeypatch)
    mortal_redis.start()
    eventually(lambda: reader.interruptions == 2)
    assert_hears(reader, mortal_redis, topic, heard)
    with closing(mortal_redis.client()) as client:
        assert followers(client, "too late") == 0
    assert caplog.text.count("Not subscribed to Redis") == 1


def test_a_redis_that_hangs_and_goes_on(
    mortal_redis: RedisServer, start_reader: StartReader, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is noticed although the connection stays open, and whoever wants to follow something is told so."""
    reader = start_reader(mortal_redis)
    heard: list[bytes] = []
    reader.news.follow(topic, heard.append)
    mortal_redis.hang()
    assert_refuses(reader, heard, monkeypatch)
    eventually(lambda: not reader.news.is_connected)
    mortal_redis.resume()
    eventually(lambda: reader.interruptions == 2)
    assert_hears(reader, mortal_redis, topic, heard)
    with closing(mortal_redis.client()) as client:
        eventually(lambda: followers(client, "too late") == 0)


def test_a_silence_is_no_interruption(mortal_redis: RedisServer, start_reader: StartReader, topic: str) -> None:
    """Redis says that it is there, when it is asked."""
    reader = start_reader(mortal_redis)
    heard: list[bytes] = []
    with closing(mortal_redis.client()) as client:
        eventually(lambda: client.info("commandstats").get("cmdstat_ping", {}).get("calls", 0) >= 3)
        reader.news.follow(topic, heard.append)
        pings = client.info("commandstats")["cmdstat_ping"]["calls"]
        eventually(lambda: client.info("commandstats")["cmdstat_ping"]["calls"] >= pings + 2)
    assert_hears(reader, mortal_redis, topic, heard)
    assert reader.interruptions == 1


def test_redis_need_not_be_there_yet(mortal_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is there, topics can be followed."""
    mortal_redis.kill()
    reader = Reader(mortal_redis)
    assert_refuses(reader, [], monkeypatch)
    mortal_redis.start()
    eventually(lambda: reader.interruptions == 1)
    heard: list[bytes] = []
    reader.news.follow("topic", heard.append)
    assert_hears(reader, mortal_redis, "topic", heard)
    reader.close()


def test_ten_thousand_topics(mortal_redis: RedisServer, start_reader: StartReader) -> None:
    """They are all followed again after an interruption, and what comes meanwhile is heard."""
    reader = start_reader(mortal_redis)
    heard: set[bytes] = set()
    for number in range(10_000):
        reader.news.follow(f"topic {number}", heard.add)
    with closing(mortal_redis.client()) as client:
        client.client_kill_filter(_type="pubsub", skipme=True)
        eventually(lambda: reader.interruptions == 2)
        for number in range(0, 10_000, 100):
            client.publish(f"topic {number}", str(number))
        eventually(lambda: len(heard) == 100)
        for number in range(10_000):
            reader.news.unfollow(f"topic {number}")
        eventually(lambda: client.pubsub_channels("topic *") == [])
    assert reader.interruptions == 2
