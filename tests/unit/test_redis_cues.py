"""The store of cues in Redis keeps its port's contract, reports a lost Redis, and is shared by several servers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import uuid4

import pytest
from redis import Redis

from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.cues import RedisCueStore
from asf.adapters.redis_store.pubsub import RedisPubSub
from asf.domain.cues.track import TrackLimits
from asf.domain.errors import CuesUnavailable
from tests.contracts.cue_store import EPOCH, LIMITS, STREAM, CueStoreContract, all_of, cue
from tests.support.bounds import PATIENCE_SECONDS, STOP_SECONDS
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer

MakeStore = Callable[..., RedisCueStore]


@pytest.fixture
def open_store() -> Iterator[MakeStore]:
    """Return a function that returns a store of a server of its own."""
    with ExitStack() as stack:

        def make(redis: RedisServer, prefix: str) -> RedisCueStore:
            client = connect(redis.url_with(PATIENCE_SECONDS))
            subscriber = RedisPubSub(client)
            store = RedisCueStore(client, subscriber, prefix)
            thread = threading.Thread(target=subscriber.run, daemon=True)
            thread.start()
            eventually(lambda: subscriber.is_connected)
            stack.callback(client.close)
            stack.callback(thread.join, STOP_SECONDS)
            stack.callback(subscriber.close)
            return store

        yield make


class TestRedisCueStore(CueStoreContract):
    """The contract, in a real Redis."""

    @pytest.fixture
    def make_store(self, shared_redis: RedisServer, open_store: MakeStore) -> Iterator[Callable[[], RedisCueStore]]:
        """Only the first store has a subscriber that runs: connecting one takes a while."""
        client = connect(shared_redis.url_with(PATIENCE_SECONDS))
        stores = [open_store(shared_redis, f"{uuid4().hex}:")]
        yield lambda: stores.pop() if stores else RedisCueStore(client, RedisPubSub(client), f"{uuid4().hex}:")
        client.close()


def test_servers_share_the_cues(shared_redis: RedisServer, open_store: MakeStore) -> None:
    """And receive what others store. Nothing is left of what is forgotten."""
    prefix = f"{uuid4().hex}:"
    one, other = open_store(shared_redis, prefix), open_store(shared_redis, prefix)
    reported: list[str] = []
    other.on_appended.connect(lambda _stream_id, epoch: reported.append(epoch))
    one.append(STREAM, EPOCH, [cue(1, id="a")], LIMITS)
    eventually(lambda: reported == [EPOCH])
    assert other.append(STREAM, EPOCH, [cue(2, id="a")], LIMITS) == 1
    assert all_of(one) == [(2, cue(2, id="a").json)]
    one.forget(STREAM, [EPOCH])
    client: Redis = connect(shared_redis.url)
    assert list(client.scan_iter(prefix + "*")) == []
    client.close()


def test_a_lost_redis_is_an_error(mortal_redis: RedisServer, open_store: MakeStore) -> None:
    """Once it is back, what was missed is reported as an interruption."""
    store = open_store(mortal_redis, "test:")
    interruptions: list[None] = []
    store.on_interrupted.connect(lambda: interruptions.append(None))
    mortal_redis.kill()
    for ask in (
        lambda: store.append(STREAM, EPOCH, [cue(1)], LIMITS),
        lambda: store.page(STREAM, EPOCH, 0, 1, 1),
        lambda: store.select(STREAM, EPOCH, [1]),
        lambda: store.epochs(STREAM),
        lambda: store.forget(STREAM, [EPOCH]),
    ):
        with pytest.raises(CuesUnavailable, match="Redis"):
            ask()
    mortal_redis.start()
    eventually(lambda: interruptions)
    assert store.append(STREAM, EPOCH, [cue(1)], LIMITS) == 1


def test_a_full_request_is_one_step(shared_redis: RedisServer, open_store: MakeStore) -> None:
    """A thousand cues, stored and replaced."""
    store = open_store(shared_redis, f"{uuid4().hex}:")
    for text in ("one", "two"):
        many = [cue(number, id=str(number), text=text) for number in range(1000)]
        assert store.append(STREAM, EPOCH, many, TrackLimits(1000)) == 1000
    page = store.page(STREAM, EPOCH, 0, 1000, 1_000_000)
    assert [one.seq for one in page.cues] == list(range(1001, 2001))
