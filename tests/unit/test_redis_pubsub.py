"""Redis pub/sub: every message of a channel is received, or it is reported that some may be missing."""

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
    """A subscriber with its thread, which counts how often messages may have been missed."""

    def __init__(self, server: RedisServer) -> None:
        self.client = connect(server.url)
        self.subscriber = RedisPubSub(self.client)
        self.interruptions = 0
        self.subscriber.on_interrupted.append(self._count)
        self._thread = threading.Thread(target=self.subscriber.run, daemon=True)
        self._thread.start()

    def was_interrupted(self, times: int) -> bool:
        """Return whether it has reconnected so often, and no more."""
        return self.interruptions == times + 1

    def close(self) -> None:
        """Stop it."""
        self.subscriber.close()
        self._thread.join(STOP_SECONDS)
        assert not self._thread.is_alive()
        self.client.close()

    def _count(self) -> None:
        self.interruptions += 1


StartReader = Callable[[RedisServer], Reader]


@pytest.fixture
def start_reader() -> Iterator[StartReader]:
    """Return a function that starts a reader, and waits until it is connected. All are stopped at the end."""
    readers: list[Reader] = []

    def start(server: RedisServer) -> Reader:
        readers.append(Reader(server))
        eventually(lambda: readers[-1].interruptions)
        return readers[-1]

    yield start
    for reader in readers:
        reader.close()


@pytest.fixture
def channel() -> str:
    """Return the name of a channel of the test's own, with letters beyond ASCII."""
    return f"channel ü {uuid4().hex}"


def followers(client: redis.Redis, channel: str) -> int:
    """Return how many servers are subscribed to a channel, according to Redis."""
    return int(client.pubsub_numsub(channel)[0][1])


def has_heard(heard: list[bytes], message: bytes) -> bool:
    """Return whether a message is the latest that was received."""
    return heard[-1:] == [message]


def test_all_messages_are_received_in_order(
    shared_redis: RedisServer, start_reader: StartReader, channel: str
) -> None:
    """From the return of `follow` on, for each channel by itself, whatever the bytes are."""
    reader = start_reader(shared_redis)
    heard: dict[str, list[bytes]] = {f"{channel} {number}": [] for number in range(3)}
    with closing(shared_redis.client()) as client:
        for name, messages in heard.items():
            reader.subscriber.follow(name, messages.append)
            client.publish(name, b"\r\n\x00first")
        for number in range(1000):
            client.publish(f"{channel} {number % 3}", str(number))
    eventually(lambda: sum(map(len, heard.values())) == 1003)
    for first, messages in enumerate(heard.values()):
        assert messages == [b"\r\n\x00first", *(str(number).encode() for number in range(first, 1000, 3))]


def test_what_is_published_right_after_following_is_never_missed(
    shared_redis: RedisServer, start_reader: StartReader, channel: str
) -> None:
    """By many threads at once, while others follow and unfollow."""
    reader = start_reader(shared_redis)
    numbers = count()
    missed: list[str] = []

    def come_and_go() -> None:
        with closing(shared_redis.client()) as client:
            for _ in range(100):
                name = f"{channel} {next(numbers)}"
                came: Queue[bytes] = Queue()
                reader.subscriber.follow(name, came.put)
                client.publish(name, "")
                try:
                    came.get(timeout=STOP_SECONDS)
                except Empty:
                    missed.append(name)
                reader.subscriber.unfollow(name)

    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert next(numbers) == 800
    assert missed == []


def test_after_unfollow_nothing_is_received(
    shared_redis: RedisServer, start_reader: StartReader, channel: str
) -> None:
    """And Redis is asked to unsubscribe. Leaving an unknown channel has no effect."""
    reader = start_reader(shared_redis)
    left: list[bytes] = []
    stays: list[bytes] = []
    reader.subscriber.follow(channel, left.append)
    reader.subscriber.follow(channel + " stays", stays.append)
    reader.subscriber.unfollow(channel)
    reader.subscriber.unfollow("unknown")
    with closing(shared_redis.client()) as client:
        client.publish(channel, "late")
        client.publish(channel + " stays", "subscriber")
        eventually(lambda: stays)
        assert left == []
        eventually(lambda: followers(client, channel) == 0)
        assert followers(client, channel + " stays") == 1


def test_following_again_right_after_unfollow_works(
    shared_redis: RedisServer, start_reader: StartReader, channel: str
) -> None:
    """However fast: the channel is not unsubscribed from afterwards."""
    reader = start_reader(shared_redis)
    heard: list[bytes] = []
    with closing(shared_redis.client()) as client:
        for number in range(50):
            reader.subscriber.follow(channel, heard.append)
            client.publish(channel, str(number))
            eventually(partial(has_heard, heard, str(number).encode()))
            reader.subscriber.unfollow(channel)
        reader.subscriber.follow(channel, heard.append)
        reader.subscriber.follow(channel + " unwanted", heard.append)
        reader.subscriber.unfollow(channel + " unwanted")
        # All unwanted channels are unsubscribed from at once.
        eventually(lambda: followers(client, channel + " unwanted") == 0)
        client.publish(channel, "last")
        eventually(partial(has_heard, heard, b"last"))


def test_a_listener_that_fails_harms_nobody_else(
    shared_redis: RedisServer, start_reader: StartReader, channel: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; messages of all channels still arrive."""
    reader = start_reader(shared_redis)
    heard: list[bytes] = []

    def fail(payload: bytes) -> None:
        heard.append(payload)
        raise RuntimeError("broken")

    reader.subscriber.follow(channel, fail)
    with closing(shared_redis.client()) as client:
        client.publish(channel, "one")
        client.publish(channel, "two")
        eventually(lambda: len(heard) == 2)
    assert "A listener of a Redis channel failed" in caplog.text
    assert reader.interruptions == 1


def test_a_callback_that_fails_harms_nobody_else(mortal_redis: RedisServer, start_reader: StartReader) -> None:
    """The others are called all the same."""
    reader = start_reader(mortal_redis)

    def fail() -> None:
        raise RuntimeError("broken")

    reader.subscriber.on_interrupted.insert(0, fail)
    with closing(mortal_redis.client()) as client:
        client.client_kill_filter(skipme=True)
        eventually(lambda: reader.interruptions == 2)


def assert_hears(reader: Reader, server: RedisServer, channel: str, heard: list[bytes]) -> None:
    """What is published on a channel is received, and another one can be followed."""
    mark = uuid4().hex.encode()
    with closing(server.client()) as client:
        client.publish(channel, mark)
        eventually(lambda: heard and heard[-1] == mark)
        others: list[bytes] = []
        reader.subscriber.follow(f"another {mark!r}", others.append)
        client.publish(f"another {mark!r}", mark)
        eventually(lambda: others == [mark])


def test_a_connection_that_is_lost_is_opened_anew(
    mortal_redis: RedisServer, start_reader: StartReader, channel: str
) -> None:
    """With all channels; then it is reported that messages may have been missed."""
    reader = start_reader(mortal_redis)
    heard: list[bytes] = []
    reader.subscriber.follow(channel, heard.append)
    for number in range(3):
        with closing(mortal_redis.client()) as client:
            assert client.client_kill_filter(_type="pubsub", skipme=True) == 1
        eventually(partial(reader.was_interrupted, number + 1))
        assert_hears(reader, mortal_redis, channel, heard)


def assert_refuses(reader: Reader, heard: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Following fails, within the product's own timeouts."""
    with monkeypatch.context() as hasty:
        hasty.setattr(pubsub, "CONNECTION_SECONDS", CONNECTION_SECONDS)
        hasty.setattr(pubsub, "CONFIRMATION_SECONDS", CONFIRMATION_SECONDS)
        with pytest.raises(SubscribeFailed):
            reader.subscriber.follow("too late", heard.append)


def test_following_takes_half_a_second_at_most() -> None:
    """The sum of its two timeouts; and a silence is noticed within two seconds."""
    assert CONNECTION_SECONDS + CONFIRMATION_SECONDS < 0.5
    assert 2 * pubsub.SILENCE_SECONDS <= 2.0


def test_a_redis_that_is_killed_and_comes_back(
    mortal_redis: RedisServer,
    start_reader: StartReader,
    channel: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Following fails at once meanwhile; it is logged once."""
    reader = start_reader(mortal_redis)
    heard: list[bytes] = []
    reader.subscriber.follow(channel, heard.append)
    mortal_redis.kill()
    eventually(lambda: not reader.subscriber.is_connected)
    for _ in range(5):
        assert_refuses(reader, heard, monkeypatch)
    mortal_redis.start()
    eventually(lambda: reader.interruptions == 2)
    assert_hears(reader, mortal_redis, channel, heard)
    with closing(mortal_redis.client()) as client:
        assert followers(client, "too late") == 0
    assert caplog.text.count("Not subscribed to Redis") == 1


def test_a_redis_that_hangs_and_goes_on(
    mortal_redis: RedisServer, start_reader: StartReader, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is noticed although the connection stays open, and following fails."""
    reader = start_reader(mortal_redis)
    heard: list[bytes] = []
    reader.subscriber.follow(channel, heard.append)
    mortal_redis.hang()
    assert_refuses(reader, heard, monkeypatch)
    eventually(lambda: not reader.subscriber.is_connected)
    mortal_redis.resume()
    eventually(lambda: reader.interruptions == 2)
    assert_hears(reader, mortal_redis, channel, heard)
    with closing(mortal_redis.client()) as client:
        eventually(lambda: followers(client, "too late") == 0)


def test_a_silence_is_no_interruption(mortal_redis: RedisServer, start_reader: StartReader, channel: str) -> None:
    """Redis answers to PING."""
    reader = start_reader(mortal_redis)
    heard: list[bytes] = []
    with closing(mortal_redis.client()) as client:
        eventually(lambda: client.info("commandstats").get("cmdstat_ping", {}).get("calls", 0) >= 3)
        reader.subscriber.follow(channel, heard.append)
        pings = client.info("commandstats")["cmdstat_ping"]["calls"]
        eventually(lambda: client.info("commandstats")["cmdstat_ping"]["calls"] >= pings + 2)
    assert_hears(reader, mortal_redis, channel, heard)
    assert reader.interruptions == 1


def test_redis_need_not_be_there_yet(mortal_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is up, channels can be followed."""
    mortal_redis.kill()
    reader = Reader(mortal_redis)
    assert_refuses(reader, [], monkeypatch)
    mortal_redis.start()
    eventually(lambda: reader.interruptions == 1)
    heard: list[bytes] = []
    reader.subscriber.follow("channel", heard.append)
    assert_hears(reader, mortal_redis, "channel", heard)
    reader.close()


def test_ten_thousand_topics(mortal_redis: RedisServer, start_reader: StartReader) -> None:
    """They are all subscribed to again after an interruption, and their messages arrive."""
    reader = start_reader(mortal_redis)
    heard: set[bytes] = set()
    for number in range(10_000):
        reader.subscriber.follow(f"channel {number}", heard.add)
    with closing(mortal_redis.client()) as client:
        client.client_kill_filter(_type="pubsub", skipme=True)
        eventually(lambda: reader.interruptions == 2)
        for number in range(0, 10_000, 100):
            client.publish(f"channel {number}", str(number))
        eventually(lambda: len(heard) == 100)
        for number in range(10_000):
            reader.subscriber.unfollow(f"channel {number}")
        eventually(lambda: client.pubsub_channels("channel *") == [])
    assert reader.interruptions == 2
