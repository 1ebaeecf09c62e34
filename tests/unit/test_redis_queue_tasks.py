"""How queues are followed and fetched while Redis is lost and back, in virtual time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import redis

from asf.adapters.redis_store.queues import follower as follower_module
from asf.adapters.redis_store.queues.blocks import BLOCK_BYTES, BlockCache
from asf.adapters.redis_store.queues.entries import Piece
from asf.adapters.redis_store.queues.fetcher import FETCH_SECONDS, LONGEST_PAUSE_SECONDS, BlockFetcher
from asf.adapters.redis_store.queues.follower import CHECK_SECONDS, PAUSE_SECONDS, QueueFollower
from asf.adapters.redis_store.queues.index import QueueIndex
from asf.adapters.redis_store.queues.open_queue import FAILURE_SECONDS, OpenQueue, OpenQueues
from asf.domain.errors import AudioUnavailable
from asf.domain.streams.stream import AudioEnding, StreamState

KEY = b"queue"


class VirtualTiming:
    """Time that passes only in `sleep`."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.pauses: list[float] = []
        self.on_sleep: Callable[[], object] = lambda: None

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        if seconds:
            self.pauses.append(seconds)
        self.on_sleep()


class ScriptedReader:
    """What the connection of a follower answers: pieces, nothing, or an error. Ends the queue after the last one."""

    def __init__(self, answers: Sequence[list[Piece] | Exception], timing: VirtualTiming) -> None:
        self.answers = list(answers)
        self.timing = timing
        self.checks: list[float] = []
        self.searches = 0
        self.disconnects = 0
        self.nudges = 0
        self.head = FIRST.mark

    def read(self, last_ids: Mapping[bytes, bytes]) -> dict[bytes, list[Piece]]:
        assert list(last_ids) == [KEY]
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {KEY: answer} if answer else {}

    def heads(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        self.checks.append(self.timing.time)
        return dict.fromkeys(keys, self.head)

    def lost_ends(self, _last_ids: Mapping[bytes, bytes]) -> list[bytes]:
        self.searches += 1
        return []

    def nudge(self) -> None:
        self.nudges += 1

    def disconnect(self) -> None:
        self.disconnects += 1


FIRST = Piece(b"1-0", 0, b"audio")
END = Piece(b"2-0", 5, ending=AudioEnding(StreamState.COMPLETE))
LOST = redis.ConnectionError("lost")


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> VirtualTiming:
    """Return virtual time, in which no pause is shortened by chance."""
    monkeypatch.setattr("asf.backoff.random.uniform", lambda _least, most: most)
    return VirtualTiming()


def followed(reader: Any, timing: VirtualTiming) -> OpenQueue:
    """Follow a queue until it has ended, and return it."""
    queues = OpenQueues()
    queue = OpenQueue(KEY, QueueIndex(BlockCache(0)))
    queues.add(queue)
    QueueFollower(queues, reader, lambda run: run(), timing).follow(queue, is_new=True)
    return queue


def test_a_queue_is_followed_to_its_end(timing: VirtualTiming) -> None:
    """Reads that returned all there was are followed by a pause; then the connection is closed."""
    reader = ScriptedReader([[], [FIRST], [END]], timing)
    queue = followed(reader, timing)
    assert (queue.index.size, queue.index.ending) == (5, END.ending)
    assert timing.pauses == [PAUSE_SECONDS, PAUSE_SECONDS]
    assert reader.disconnects == 1


def test_growing_queues_are_checked_every_second(timing: VirtualTiming) -> None:
    """And at first; whether Redis has lost entries only then."""
    count = 350
    pieces = [[Piece(b"%d-0" % (number + 1), number, b"x")] for number in range(count)]
    end = Piece(b"%d-0" % (count + 1), count, ending=AudioEnding(StreamState.COMPLETE))
    reader = ScriptedReader([*pieces, [end]], timing)
    reader.head = pieces[0][0].mark
    followed(reader, timing)
    assert [round(time - 1000.0, 1) for time in reader.checks] == [0.0, 1.0, 2.0, 3.0]
    assert reader.searches == 1
    assert CHECK_SECONDS == 1.0


def test_while_redis_is_lost_reads_are_retried_after_growing_pauses(
    timing: VirtualTiming, caplog: pytest.LogCaptureFixture
) -> None:
    """One line of log says so, and one that it is over; then it is searched for entries that Redis has lost."""
    caplog.set_level("INFO", follower_module.logger.name)
    reader = ScriptedReader([[FIRST], *[LOST] * 7, [], LOST, [END]], timing)
    queue = followed(reader, timing)
    assert queue.index.ending == END.ending
    retries = [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert timing.pauses == [PAUSE_SECONDS, *retries, 0.05, PAUSE_SECONDS]
    assert [record.getMessage() for record in caplog.records] == [
        "Audio queues cannot be read: lost",
        "Audio queues can be read again",
    ] * 2
    assert reader.disconnects == 8 + 1
    assert reader.searches == 1 + 7 + 1


def test_an_unexpected_error_is_logged_and_retried(timing: VirtualTiming, caplog: pytest.LogCaptureFixture) -> None:
    """No other task would read on."""
    queue = followed(ScriptedReader([ValueError("broken"), [FIRST], [END]], timing), timing)
    assert queue.index.ending == END.ending
    assert "ValueError: broken" in caplog.text


def test_one_task_follows_all_queues(timing: VirtualTiming) -> None:
    """A further queue interrupts its read; a known one does not."""
    reader = ScriptedReader([], timing)
    tasks: list[Callable[[], None]] = []
    queues = OpenQueues()
    first, second = (OpenQueue(key, QueueIndex(BlockCache(0))) for key in (b"first", b"second"))
    follower = QueueFollower(queues, reader, tasks.append, timing)  # type: ignore[arg-type]
    for queue in (first, second):
        queues.add(queue)
        follower.follow(queue, is_new=True)
    follower.follow(second, is_new=False)
    assert (len(tasks), reader.nudges) == (1, 1)


class LostRedis:
    """A client whose commands fail."""

    def __init__(self) -> None:
        self.calls = 0

    def xrange(self, *_arguments: object) -> object:
        self.calls += 1
        raise LOST


class Waiter:
    """A reader of a queue that counts how often it is called."""

    def __init__(self) -> None:
        self.calls = 0

    def on_arrival(self) -> None:
        self.calls += 1


def evicted() -> tuple[OpenQueue, BlockCache]:
    """Return a queue whose first block is no longer cached."""
    blocks = BlockCache(0)
    queue = OpenQueue(KEY, QueueIndex(blocks))
    queue.index.take([Piece(b"%d-0" % (number + 1), number * BLOCK_BYTES, bytes(BLOCK_BYTES)) for number in range(2)])
    queue.index.forget()
    return queue, blocks


def test_a_fetch_is_retried_for_a_bounded_time(timing: VirtualTiming) -> None:
    """Then reads fail at once for a moment, and after that they fetch again."""
    (queue, blocks), client, waiter = evicted(), LostRedis(), Waiter()
    queue.readers.add(waiter)
    fetcher = BlockFetcher(client, blocks, OpenQueues().lock, lambda run: run(), FETCH_SECONDS, timing)  # type: ignore[arg-type]
    assert fetcher.read(queue, waiter, 0, 10) is None
    assert waiter.calls == 1
    assert FETCH_SECONDS - LONGEST_PAUSE_SECONDS <= timing.time - 1000.0 <= FETCH_SECONDS
    assert timing.pauses[:6] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0]
    calls = client.calls
    with pytest.raises(AudioUnavailable, match="Redis is unreachable"):
        fetcher.read(queue, waiter, 0, 10)
    assert client.calls == calls
    timing.time += FAILURE_SECONDS
    assert fetcher.read(queue, waiter, 0, 10) is None
    assert client.calls > calls


def test_a_fetch_that_nobody_waits_for_any_more_ends(timing: VirtualTiming) -> None:
    """However long it could still be retried."""
    (queue, blocks), client, waiter = evicted(), LostRedis(), Waiter()
    queue.readers.add(waiter)
    fetcher = BlockFetcher(client, blocks, OpenQueues().lock, lambda run: run(), FETCH_SECONDS, timing)  # type: ignore[arg-type]

    def leave() -> None:
        if len(timing.pauses) == 3:
            queue.leave(waiter)

    timing.on_sleep = leave
    fetcher.read(queue, waiter, 0, 10)
    assert len(timing.pauses) == 3
    assert not queue.fetching


def test_what_nobody_wants_any_more_is_not_fetched(timing: VirtualTiming) -> None:
    """Cancelled before the fetch begins, or between two attempts; unless another read needs the same block."""
    (queue, blocks), client, waiter, another = evicted(), LostRedis(), Waiter(), Waiter()
    queue.readers |= {waiter, another}
    tasks: list[Callable[[], None]] = []
    fetcher = BlockFetcher(client, blocks, OpenQueues().lock, tasks.append, FETCH_SECONDS, timing)  # type: ignore[arg-type]
    fetcher.read(queue, waiter, 0, 10)
    fetcher.cancel(queue, waiter, 0)
    tasks.pop()()
    assert client.calls == 0
    assert not queue.fetching

    fetcher.read(queue, waiter, 0, 10)
    fetcher.read(queue, another, 5, 10)
    fetcher.cancel(queue, waiter, 0)
    fetcher.cancel(queue, another, 0)
    timing.on_sleep = lambda: fetcher.cancel(queue, another, 5) if len(timing.pauses) == 3 else None
    tasks.pop()()
    assert client.calls > 1
    assert len(timing.pauses) == 3
    assert not queue.fetching
    assert fetcher.read(queue, waiter, 0, 10) is None, "the failure concerned nobody"
