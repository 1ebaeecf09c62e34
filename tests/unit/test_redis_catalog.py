"""The catalog in Redis keeps its port's promises, says so when Redis is lost, and is one for all that share it."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.redis_store.catalog import RedisCatalogStore
from asf.adapters.redis_store.connection import connect
from asf.domain import AudioStream, FileLocator, StreamState
from asf.domain.errors import CatalogUnavailable
from asf.domain.rules import stream_id_problem
from tests.contracts.catalog_store import CatalogStoreContract
from tests.support.redis_server import RedisServer

STREAM = AudioStream("strm_1", FileLocator("/audio/one.mp3"), StreamState.GENERATING, "epoch", announced_at=12.5)

MakeStore = Callable[[], RedisCatalogStore]


@pytest.fixture
def make_store(shared_redis: RedisServer) -> Iterator[MakeStore]:
    """Return a function that returns an empty store at each call, in a Redis that stays."""
    client = connect(shared_redis.url)
    prefixes = (f"{uuid4().hex}:{number}:" for number in count())
    yield lambda: RedisCatalogStore(client, next(prefixes))
    client.close()


@pytest.fixture
def mortal_store(mortal_redis: RedisServer) -> Iterator[RedisCatalogStore]:
    """Return a store in a Redis to do harm to."""
    client = connect(mortal_redis.url)
    yield RedisCatalogStore(client)
    client.close()


class TestRedisCatalogStore(CatalogStoreContract):
    """The contract, in a real Redis."""

    @pytest.fixture
    def make_store(self, make_store: MakeStore) -> MakeStore:
        return make_store


def all_operations(store: RedisCatalogStore) -> list[Callable[[], object]]:
    """Return every way to ask the store."""
    return [
        lambda: store.put(STREAM),
        lambda: store.get("strm_1"),
        lambda: store.delete("strm_1"),
        lambda: store.page(10, ""),
        store.size,
        store.count,
        store.check,
    ]


def assert_unavailable(store: RedisCatalogStore) -> None:
    """Every operation fails, within a second."""
    for operation in all_operations(store):
        start = time.monotonic()
        with pytest.raises(CatalogUnavailable, match="Redis"):
            operation()
        assert time.monotonic() - start < 1.0


def test_what_one_server_puts_another_gets(shared_redis: RedisServer) -> None:
    """They share nothing but the address and the prefix."""
    prefix = f"{uuid4().hex}:"
    clients = [connect(shared_redis.url) for _ in range(2)]
    first, second = (RedisCatalogStore(client, prefix) for client in clients)
    first.put(STREAM)
    assert second.get("strm_1") == STREAM
    assert second.delete("strm_1")
    assert first.get("strm_1") is None
    for client in clients:
        client.close()


@given(ids=st.sets(st.text(min_size=1, max_size=3).filter(lambda text: not stream_id_problem(text)), max_size=12))
def test_pages_are_in_the_order_of_code_points(shared_redis: RedisServer, ids: set[str]) -> None:
    """Also beyond the 16 bits within which other orders agree, and page by page."""
    client = connect(shared_redis.url)
    store = RedisCatalogStore(client, f"{uuid4().hex}:")
    for stream_id in ids:
        store.put(AudioStream(stream_id, FileLocator("/audio/one.mp3")))
    found: list[str] = []
    while page := store.page(5, found[-1] if found else ""):
        found += [stream.stream_id for stream in page]
    assert found == sorted(ids)
    client.close()


def test_a_page_may_begin_behind_what_is_no_id(make_store: MakeStore) -> None:
    """A cursor comes from outside."""
    store = make_store()
    for stream_id in ("a", "\N{PARTY POPPER}"):
        store.put(AudioStream(stream_id, FileLocator("/audio/one.mp3")))
    assert [stream.stream_id for stream in store.page(10, "\ud800")] == ["\N{PARTY POPPER}"]
    assert [stream.stream_id for stream in store.page(10, "[")] == ["a", "\N{PARTY POPPER}"]


def test_counts_are_right_however_many_write_at_once(make_store: MakeStore) -> None:
    """Each operation is one step."""
    store = make_store()

    def write(number: int) -> None:
        for turn in range(30):
            state = list(StreamState)[(number + turn) % 3]
            store.put(AudioStream(f"strm_{turn % 5}", FileLocator("/audio/one.mp3"), state))
            if turn % 4 == number % 4:
                store.delete(f"strm_{turn % 5}")

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(write, range(6)))
    kept = store.page(10, "")
    assert store.size() == len(kept)
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
    store = RedisCatalogStore(client, prefix)
    store.put(STREAM)
    client.hset(prefix + "streams", "strm_1", entry)
    with pytest.raises(CatalogUnavailable):
        store.get("strm_1")
    with pytest.raises(CatalogUnavailable):
        store.page(10, "")
    store.put(STREAM)
    assert store.get("strm_1") == STREAM
    client.close()


def test_a_redis_that_is_lost_is_an_error_until_it_is_back(
    mortal_redis: RedisServer, mortal_store: RedisCatalogStore
) -> None:
    """It comes back empty, without the scripts that it knew; connections are opened anew."""
    mortal_store.put(STREAM)
    mortal_redis.kill()
    assert_unavailable(mortal_store)
    mortal_redis.start()
    assert mortal_store.size() == 0
    mortal_store.put(STREAM)
    assert mortal_store.get("strm_1") == STREAM
    mortal_store.check()


def test_a_redis_that_restarts_between_two_operations_is_not_noticed(
    mortal_redis: RedisServer, mortal_store: RedisCatalogStore
) -> None:
    """The connections that it has closed are not used again."""
    mortal_store.put(STREAM)
    mortal_redis.kill()
    mortal_redis.start()
    mortal_store.put(STREAM)
    assert mortal_store.get("strm_1") == STREAM


def test_a_redis_that_hangs_is_an_error_until_it_goes_on(
    mortal_redis: RedisServer, mortal_store: RedisCatalogStore
) -> None:
    """Connections, open ones and new ones, stay without an answer."""
    mortal_store.put(STREAM)
    mortal_redis.hang()
    assert_unavailable(mortal_store)
    mortal_redis.resume()
    mortal_redis.wait_for_stragglers()
    mortal_store.put(STREAM)
    assert mortal_store.get("strm_1") == STREAM


def test_a_check_finds_that_nothing_can_be_kept(mortal_redis: RedisServer, mortal_store: RedisCatalogStore) -> None:
    """Although all that is kept can still be read."""
    mortal_store.put(STREAM)
    client = mortal_redis.client()
    client.config_set("maxmemory", "1")
    assert mortal_store.get("strm_1") == STREAM
    with pytest.raises(CatalogUnavailable, match="memory"):
        mortal_store.check()
    with pytest.raises(CatalogUnavailable, match="memory"):
        mortal_store.put(AudioStream("strm_2", FileLocator("/audio/two.mp3")))
    assert [stream.stream_id for stream in mortal_store.page(10, "")] == ["strm_1"]
    assert mortal_store.count()[StreamState.GENERATING] == 1
    client.config_set("maxmemory", "0")
    mortal_store.check()
    client.close()
