"""The catalog in Redis keeps its port's contract, reports a lost Redis, and is shared by several servers."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from asf.adapters.redis_store import pubsub
from asf.adapters.redis_store.catalog import RedisCatalogStore
from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.pubsub import CONNECTION_SECONDS, RedisPubSub
from asf.adapters.redis_store.recent_streams import RecentStreams
from asf.domain.errors import CatalogUnavailable
from asf.domain.identifiers import stream_id_problem
from asf.domain.streams.stream import AudioStream, FileLocator, StreamState
from tests.contracts.catalog_store import MAX_STREAMS, CatalogStoreContract, keep
from tests.support.bounds import HUNG_SECONDS, PATIENCE_SECONDS, STOP_SECONDS
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.usefixtures("patient_news")

STREAM = AudioStream("strm_1", FileLocator("/audio/one.mp3"), StreamState.GENERATING, "epoch", announced_at=12.5)

MakeStore = Callable[[], RedisCatalogStore]


@contextmanager
def server_at(redis: RedisServer, seconds: float = PATIENCE_SECONDS) -> Iterator[tuple[Redis, RedisPubSub]]:
    """Yield what a server has of Redis: a client, and a subscriber that is connected."""
    client = connect(redis.url_with(seconds))
    subscriber = RedisPubSub(client)
    thread = threading.Thread(target=subscriber.run, daemon=True)
    thread.start()
    eventually(lambda: subscriber.is_connected)
    yield client, subscriber
    subscriber.close()
    thread.join(STOP_SECONDS)
    client.close()


@pytest.fixture
def make_store(shared_redis: RedisServer) -> Iterator[MakeStore]:
    """Return a function that returns an empty store at each call, in a Redis that stays."""
    prefixes = (f"{uuid4().hex}:{number}:" for number in count())
    with server_at(shared_redis) as (client, subscriber):
        yield lambda: RedisCatalogStore(client, subscriber, next(prefixes))


@pytest.fixture
def seconds() -> float:
    """Return the timeouts of a store to do harm to."""
    return PATIENCE_SECONDS


@pytest.fixture
def mortal_store(mortal_redis: RedisServer, seconds: float) -> Iterator[RedisCatalogStore]:
    """Return a store in a Redis to do harm to."""
    with server_at(mortal_redis, seconds) as (client, subscriber):
        yield RedisCatalogStore(client, subscriber)


class TestRedisCatalogStore(CatalogStoreContract):
    """The contract, in a real Redis."""

    @pytest.fixture
    def make_store(self, make_store: MakeStore) -> MakeStore:
        return make_store


class SharedChanges:
    """Counts the changes of all stores that have it."""

    def __init__(self) -> None:
        self._total = 0

    def note(self) -> None:
        """Count a change."""
        self._total += 1

    def total(self) -> int:
        """Return how many there were."""
        return self._total


class TestRememberingRedisCatalogStore(CatalogStoreContract):
    """The contract, by a store that remembers what it has read."""

    @pytest.fixture
    def make_store(self, shared_redis: RedisServer) -> Iterator[MakeStore]:
        prefixes = (f"{uuid4().hex}:{number}:" for number in count())
        with server_at(shared_redis) as (client, subscriber):
            yield lambda: RedisCatalogStore(client, subscriber, next(prefixes), RecentStreams(SharedChanges()))


def all_operations(store: RedisCatalogStore) -> list[Callable[[], object]]:
    """Return every way to ask the store."""
    return [
        lambda: store.put(STREAM, None, MAX_STREAMS),
        lambda: store.get("strm_1"),
        lambda: store.delete(STREAM),
        lambda: store.page(10, ""),
        store.count,
        store.check,
    ]


def assert_unavailable(store: RedisCatalogStore) -> None:
    """Every operation fails now, also those that are asked at once."""
    operations = all_operations(store)
    with ThreadPoolExecutor(len(operations)) as threads:
        for outcome in [threads.submit(operation) for operation in operations]:
            with pytest.raises(CatalogUnavailable, match="Redis"):
                outcome.result(STOP_SECONDS)


def test_what_one_server_puts_another_gets(shared_redis: RedisServer) -> None:
    """They share nothing but the address and the prefix."""
    prefix = f"{uuid4().hex}:"
    with server_at(shared_redis) as one, server_at(shared_redis) as other:
        first, second = RedisCatalogStore(*one, prefix), RedisCatalogStore(*other, prefix)
        told: list[AudioStream | None] = []
        first.on_change.connect(lambda _, stream: told.append(stream))
        first.follow("strm_1")
        keep(second, STREAM)
        assert first.get("strm_1") == STREAM
        assert second.delete(STREAM)
        assert first.get("strm_1") is None
        eventually(lambda: told == [STREAM, None])
        first.unfollow("strm_1")
        keep(second, STREAM)
        first.follow("strm_2")
        keep(second, replace(STREAM, stream_id="strm_2"))
        eventually(lambda: told == [STREAM, None, replace(STREAM, stream_id="strm_2")])


def test_what_is_remembered_is_what_any_server_has_stored_last(shared_redis: RedisServer) -> None:
    """Each remembers what it has read, until one of them changes something."""
    prefix, changes = f"{uuid4().hex}:", SharedChanges()
    ended = replace(STREAM, state=StreamState.COMPLETE)
    with server_at(shared_redis) as one, server_at(shared_redis) as other:
        first, second = (RedisCatalogStore(*server, prefix, RecentStreams(changes)) for server in (one, other))
        keep(first, ended)
        assert second.peek("strm_1") is None
        assert second.get("strm_1") == ended
        assert second.peek("strm_1") == ended
        again = replace(ended, epoch="again")
        keep(first, again)
        assert second.peek("strm_1") is None
        assert second.get("strm_1") == second.peek("strm_1") == again
        assert first.delete(again)
        assert second.peek("strm_1") is None
        keep(first, STREAM)
        assert second.get("strm_1") == STREAM
        assert second.peek("strm_1") is None, "It may grow"


def test_changes_during_an_outage_are_reported_afterwards(
    mortal_redis: RedisServer, mortal_store: RedisCatalogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although no message arrived; and so are streams that were followed meanwhile."""
    told: list[AudioStream | None] = []
    mortal_store.on_change.connect(lambda _, stream: told.append(stream))
    mortal_store.follow("strm_1")
    mortal_redis.kill()
    with monkeypatch.context() as hasty:
        hasty.setattr(pubsub, "CONNECTION_SECONDS", CONNECTION_SECONDS)
        with pytest.raises(CatalogUnavailable):
            mortal_store.follow("strm_2")
    mortal_redis.start()
    with contextlib.closing(connect(mortal_redis.url)) as client:
        other = RedisCatalogStore(client, RedisPubSub(client))  # which receives nothing itself
        keep(other, STREAM)
        keep(other, replace(STREAM, stream_id="strm_2"))
        eventually(lambda: {stream.stream_id for stream in told if stream} == {"strm_1", "strm_2"})
        told.clear()
        mortal_store.unfollow("strm_1")
        assert other.delete(replace(STREAM, stream_id="strm_2"))
        eventually(lambda: None in told)


def test_reconnecting_takes_few_commands_however_many_streams_are_followed(
    mortal_redis: RedisServer, mortal_store: RedisCatalogStore
) -> None:
    """Redis may be far away. A damaged entry does not keep the others back."""
    ids = [f"strm_{number}" for number in range(1200)]
    told: list[str] = []
    mortal_store.on_change.connect(lambda stream_id, _: told.append(stream_id))
    for stream_id in ids:
        mortal_store.follow(stream_id)
    with contextlib.closing(connect(mortal_redis.url)) as client:
        other = RedisCatalogStore(client, RedisPubSub(client))  # which receives nothing itself
        for stream_id in ids:
            keep(other, replace(STREAM, stream_id=stream_id))
        eventually(lambda: len(told) == len(ids))
        told.clear()
        client.hset("asf:1:catalog:streams", ids[0], "tape {}")
        client.config_resetstat()
        client.client_kill_filter(_type="pubsub")
        eventually(lambda: sorted(told) == sorted(ids[1:]))
        calls = {name: figures["calls"] for name, figures in client.info("commandstats").items()}
    assert calls["cmdstat_hmget"] == 12
    assert calls["cmdstat_subscribe"] == 3
    assert "cmdstat_hget" not in calls


def test_unfollow_before_the_subscription_leaves_none(shared_redis: RedisServer) -> None:
    """`follow` waits while the connection has just been lost."""
    client = connect(shared_redis.url)
    subscriber = RedisPubSub(client)
    store = RedisCatalogStore(client, subscriber, f"{uuid4().hex}:")
    channels: list[str] = []

    def follow(channel: str, _listener: object) -> None:
        store.unfollow("strm_1")  # before it is known
        channels.append(channel)

    subscriber.follow = follow  # type: ignore[method-assign, assignment]
    subscriber.unfollow = lambda channel: channel in channels and channels.remove(channel)  # type: ignore[method-assign, assignment, func-returns-value]
    store.follow("strm_1")
    assert channels == []
    client.close()


@given(ids=st.sets(st.text(min_size=1, max_size=3).filter(lambda text: not stream_id_problem(text)), max_size=12))
def test_pages_are_in_the_order_of_code_points(shared_redis: RedisServer, ids: set[str]) -> None:
    """Also beyond the 16 bits within which other orders agree, and page by page."""
    client = connect(shared_redis.url)
    store = RedisCatalogStore(client, RedisPubSub(client), f"{uuid4().hex}:")
    for stream_id in ids:
        keep(store, AudioStream(stream_id, FileLocator("/audio/one.mp3")))
    found: list[str] = []
    while page := store.page(5, found[-1] if found else ""):
        found += [stream.stream_id for stream in page]
    assert found == sorted(ids)
    client.close()


def test_a_page_may_begin_behind_what_is_no_id(make_store: MakeStore) -> None:
    """A cursor comes from outside."""
    store = make_store()
    for stream_id in ("a", "\N{PARTY POPPER}"):
        keep(store, AudioStream(stream_id, FileLocator("/audio/one.mp3")))
    assert [stream.stream_id for stream in store.page(10, "\ud800")] == ["\N{PARTY POPPER}"]
    assert [stream.stream_id for stream in store.page(10, "[")] == ["a", "\N{PARTY POPPER}"]


def test_counts_are_right_however_many_write_at_once(make_store: MakeStore) -> None:
    """Each operation is one step."""
    store = make_store()

    def write(number: int) -> None:
        for turn in range(30):
            state = list(StreamState)[(number + turn) % 3]
            stream = AudioStream(f"strm_{turn % 5}", FileLocator("/audio/one.mp3"), state)
            earlier = store.get(stream.stream_id)
            store.put(stream, earlier, MAX_STREAMS)
            if turn % 4 == number % 4 and earlier is not None:
                store.delete(earlier)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(write, range(6)))
    kept = store.page(10, "")
    assert sum(store.count().values()) == len(kept)
    assert {state: sum(stream.state is state for stream in kept) for state in StreamState} == store.count()


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"complete",
        b"complete []",
        b"tape {}",
        b"complete {",
        b"complete \xff",
        b'complete {"locator_kind":"tape","locator":""}',
    ],
)
def test_an_entry_that_makes_no_sense_is_an_error(shared_redis: RedisServer, entry: bytes) -> None:
    """Such as a later version may have written. It is not taken for a stream that is not there."""
    prefix = f"{uuid4().hex}:"
    client = connect(shared_redis.url)
    store = RedisCatalogStore(client, RedisPubSub(client), prefix)
    keep(store, STREAM)
    client.hset(prefix + "streams", "strm_1", entry)
    with pytest.raises(CatalogUnavailable):
        store.get("strm_1")
    with pytest.raises(CatalogUnavailable):
        store.page(10, "")
    client.close()


def test_a_redis_that_is_lost_is_an_error_until_it_is_back(
    mortal_redis: RedisServer, mortal_store: RedisCatalogStore
) -> None:
    """It restarts empty, without the scripts that it had; connections are opened again."""
    keep(mortal_store, STREAM)
    mortal_redis.kill()
    assert_unavailable(mortal_store)
    mortal_redis.start()
    assert sum(mortal_store.count().values()) == 0
    keep(mortal_store, STREAM)
    assert mortal_store.get("strm_1") == STREAM
    eventually(lambda: is_fine(mortal_store))


def is_fine(store: RedisCatalogStore) -> bool:
    """Return whether the store finds nothing wrong."""
    try:
        store.check()
    except CatalogUnavailable:
        return False
    return True


def test_a_check_finds_that_pubsub_is_not_connected(mortal_redis: RedisServer) -> None:
    """Listeners that wait here for an announcement on another server would wait in vain."""
    with contextlib.closing(connect(mortal_redis.url)) as client:
        store = RedisCatalogStore(client, RedisPubSub(client))
        keep(store, STREAM)
        with pytest.raises(CatalogUnavailable, match="not received"):
            store.check()


def test_a_redis_that_restarts_between_two_operations_is_not_noticed(
    mortal_redis: RedisServer, mortal_store: RedisCatalogStore
) -> None:
    """The connections that it has closed are not used again."""
    keep(mortal_store, STREAM)
    mortal_redis.kill()
    mortal_redis.start()
    keep(mortal_store, STREAM)
    assert mortal_store.get("strm_1") == STREAM


@pytest.mark.parametrize("seconds", [HUNG_SECONDS])
def test_a_redis_that_hangs_is_an_error_until_it_goes_on(
    mortal_redis: RedisServer, mortal_store: RedisCatalogStore
) -> None:
    """Connections, open ones and new ones, stay without an answer; each command is sent once, and not again."""
    keep(mortal_store, STREAM)
    with contextlib.closing(mortal_redis.client()) as client:
        client.config_resetstat()
    mortal_redis.hang()
    assert_unavailable(mortal_store)
    mortal_redis.resume()
    mortal_redis.wait_for_stragglers(others=1)  # that of pub/sub
    with contextlib.closing(mortal_redis.client()) as client:
        calls = {name.removeprefix("cmdstat_"): each["calls"] for name, each in client.info("commandstats").items()}
    expected = {"evalsha": 3, "hget": 1, "hmget": 2, "set": 1}  # One HGET is that of a script, within Redis.
    assert {name: calls.get(name, 0) for name in expected} == expected
    keep(mortal_store, STREAM)
    assert mortal_store.get("strm_1") == STREAM


def test_a_check_finds_that_nothing_can_be_kept(mortal_redis: RedisServer, mortal_store: RedisCatalogStore) -> None:
    """Although all that is kept can still be read."""
    keep(mortal_store, STREAM)
    client = mortal_redis.client()
    client.config_set("maxmemory", "1")
    assert mortal_store.get("strm_1") == STREAM
    with pytest.raises(CatalogUnavailable, match="memory"):
        mortal_store.check()
    with pytest.raises(CatalogUnavailable, match="memory"):
        keep(mortal_store, AudioStream("strm_2", FileLocator("/audio/two.mp3")))
    assert [stream.stream_id for stream in mortal_store.page(10, "")] == ["strm_1"]
    assert mortal_store.count()[StreamState.GENERATING] == 1
    client.config_set("maxmemory", "0")
    mortal_store.check()
    client.close()


def test_a_check_finds_that_nothing_can_be_published(mortal_redis: RedisServer) -> None:
    """By a user who may do everything else: changes would be neither stored nor reported."""
    with contextlib.closing(mortal_redis.client()) as client:
        client.acl_setuser("asf", enabled=True, nopass=True, keys=["*"], categories=["+@all"], reset_channels=True)
    client = connect(mortal_redis.url.replace("redis://", "redis://asf:any@"))
    with pytest.raises(CatalogUnavailable, match="denied permission"):
        RedisCatalogStore(client, RedisPubSub(client)).check()
    client.close()
