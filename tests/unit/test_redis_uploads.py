"""Uploaded audio in queues of Redis: the promises of every spool, and what happens when Redis fails."""

from collections.abc import Callable, Iterator
from contextlib import closing
from uuid import uuid4

import pytest
import redis

from asf.adapters.media_types import media_type_of
from asf.adapters.redis_store.connection import connect
from asf.adapters.redis_store.pauses import SystemTiming
from asf.adapters.redis_store.queues.entries import PREFIX
from asf.adapters.redis_store.queues.sources import RedisAudioQueues
from asf.adapters.redis_store.uploads import QueueUploadSpool
from asf.domain.errors import InvalidFilepath, StorageFull, UploadUnavailable
from asf.domain.streams.stream import AudioEnding, Locator, QueueLocator, StreamState
from tests.contracts.upload_spool import TOTAL_BYTES, UploadSpoolContract
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer
from tests.support.threads_runtime import ThreadsRuntime


class HastyTiming(SystemTiming):
    """Time that passes by waiting only."""

    def __init__(self) -> None:
        self.time = 0.0
        self.on_sleep: Callable[[], object] = lambda: None

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.on_sleep()


@pytest.fixture
def client(shared_redis: RedisServer) -> Iterator[redis.Redis]:
    """Return a client as servers have it."""
    with closing(connect(shared_redis.url)) as client:
        yield client


def queues_of(client: redis.Redis) -> RedisAudioQueues:
    """Return what listeners read the audio from."""
    return RedisAudioQueues(client, ThreadsRuntime().spawn, media_type_of)


class TestQueues(UploadSpoolContract):
    """In Redis."""

    @pytest.fixture
    def spool(self, client: redis.Redis) -> Iterator[QueueUploadSpool]:
        spool = QueueUploadSpool(client, TOTAL_BYTES, prefix=f"test:{uuid4()}:")
        yield spool
        for upload in spool.stored():
            spool.delete(upload.locator)

    @pytest.fixture
    def read(self, client: redis.Redis) -> Callable[[Locator], bytes]:
        def read(locator: Locator) -> bytes:
            source = queues_of(client).open(locator)
            try:
                return eventually(lambda: source.read(0, source.size))
            finally:
                source.close()

        return read

    @pytest.mark.parametrize(
        "ending", [AudioEnding(StreamState.COMPLETE), AudioEnding(StreamState.FAILED, "Out of voice.")]
    )
    def test_listeners_receive_the_ending(
        self, spool: QueueUploadSpool, client: redis.Redis, ending: AudioEnding
    ) -> None:
        locator = spool.create()
        file = spool.open(locator)
        file.append(0, b"abc")
        file.finish(ending)
        source = queues_of(client).open(locator, growing=True)
        eventually(lambda: source.refresh() == 3 and source.ending == ending)
        source.close()

    def test_a_piece_whose_answer_was_lost_is_added_once(self, spool: QueueUploadSpool) -> None:
        locator = spool.create()
        file = spool.open(locator)
        file.append(0, b"abc")
        assert file.append(0, b"abc") == 3
        assert file.append(3, b"abc") == 6
        assert spool.find(locator).size == 6

    def test_the_sum_is_corrected(self, spool: QueueUploadSpool, client: redis.Redis) -> None:
        locator = spool.create()
        file = spool.open(locator)
        file.append(0, bytes(TOTAL_BYTES))
        with pytest.raises(StorageFull):
            spool.create()
        assert isinstance(locator, QueueLocator)
        client.delete(PREFIX + locator.name)  # Somebody else did.
        spool.stored()
        spool.create()

    def test_no_announcement_names_such_a_queue(self, spool: QueueUploadSpool, client: redis.Redis) -> None:
        with pytest.raises(InvalidFilepath):
            queues_of(client).locate(spool.create().text)


def test_appends_wait_for_redis(mortal_redis: RedisServer) -> None:
    """For a while; then the sender is told, and nothing is there twice."""
    timing = HastyTiming()
    with closing(connect(mortal_redis.url)) as client:
        spool = QueueUploadSpool(client, TOTAL_BYTES, timing)
        locator = spool.create()
        file = spool.open(locator)
        assert file.append(0, b"abc") == 3
        client.config_set("maxmemory", 1)
        with pytest.raises(StorageFull):
            file.append(3, b"de")
        client.config_set("maxmemory", 0)
        mortal_redis.kill()
        with pytest.raises(UploadUnavailable):
            file.append(3, b"de")
        assert timing.time > 5
        mortal_redis.start()
        assert spool.stored() == []
