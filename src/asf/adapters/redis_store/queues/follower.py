"""Follows the queues that are open and may still grow."""

import logging
from collections.abc import Callable, Iterable, Mapping

import redis

from asf.adapters.redis_store.pauses import Timing
from asf.adapters.redis_store.queues.open_queue import OpenQueue, OpenQueues
from asf.adapters.redis_store.queues.problems import head_problem
from asf.adapters.redis_store.queues.reader import ENTRIES_PER_READ, QueueReader
from asf.backoff import Backoff

PAUSE_SECONDS = 0.01
"""Pause after a read that returned all there was, so that many growing queues share the next one."""

CHECK_SECONDS = 1.0
"""Interval between checks that the growing queues are still the same."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0
"""Pauses between attempts while Redis is unreachable."""

logger = logging.getLogger(__name__)


class QueueFollower:
    """Reads the new entries of all growing `queues` with one `reader`, in a task that runs while there are any.

    `spawn` starts the task. While Redis is unreachable it retries; then it detects what has changed.
    """

    def __init__(
        self,
        queues: OpenQueues,
        reader: QueueReader,
        spawn: Callable[[Callable[[], None]], object],
        timing: Timing,
    ) -> None:
        self._queues = queues
        self._reader = reader
        self._spawn = spawn
        self._timing = timing
        self._is_running = False

    def follow(self, queue: OpenQueue, *, is_new: bool) -> None:
        """Ensure that a queue of `queues` is followed; `is_new`: it was just added."""
        with self._queues.lock:
            must_start = queue.index.grows and not self._is_running
            self._is_running = self._is_running or must_start
        if must_start:
            self._spawn(self._run)
        elif is_new and queue.index.grows:
            try:
                self._reader.nudge()
            except (redis.RedisError, OSError):
                logger.debug("The read of audio queues could not be interrupted", exc_info=True)

    def _run(self) -> None:
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        is_failing, is_first, check_at = False, True, 0.0
        while growing := self._growing():
            try:
                if is_first or self._timing.now() >= check_at:
                    self._check(growing, may_be_behind=is_first)
                    is_first, check_at = False, self._timing.now() + CHECK_SECONDS
                has_read_all = self._read({key: queue for key, queue in growing.items() if queue.index.grows})
            except Exception as error:  # noqa: BLE001 - no other task would read on
                if not is_failing:
                    _log(error)
                is_failing, is_first = True, True
                self._reader.disconnect()
                self._timing.sleep(backoff.next_pause())
                continue
            if is_failing:
                logger.info("Audio queues can be read again")
                is_failing = False
                backoff.reset()
            # A socket that always has more to read would never yield.
            self._timing.sleep(PAUSE_SECONDS if has_read_all else 0)

    def _growing(self) -> dict[bytes, OpenQueue]:
        """Return the queues to follow. If there are none, the task must end."""
        with self._queues.lock:
            growing = self._queues.growing()
            self._is_running = bool(growing)
            if not growing:
                self._reader.disconnect()
            return growing

    def _read(self, growing: Mapping[bytes, OpenQueue]) -> bool:
        """Read new entries of the queues, and return whether those may be all there are."""
        if not growing:
            return False
        found = self._reader.read({key: queue.index.last_id for key, queue in growing.items()})
        doubtful = [growing[key] for key, pieces in found.items() if not growing[key].index.continues_with(pieces)]
        if doubtful:
            self._compare_heads(doubtful)
        with self._queues.lock:
            for key, pieces in found.items():
                growing[key].index.take(pieces)
        return bool(found) and sum(map(len, found.values())) < ENTRIES_PER_READ

    def _check(self, growing: Mapping[bytes, OpenQueue], *, may_be_behind: bool) -> None:
        """Find the queues that have changed. `may_be_behind`: Redis may have restarted with less than it had."""
        self._compare_heads(growing.values())
        if may_be_behind:
            self._read_lost_again(growing)

    def _compare_heads(self, queues: Iterable[OpenQueue]) -> None:
        """Find the queues that were deleted or recreated."""
        by_key = {queue.key: queue for queue in queues}
        heads = self._reader.heads(list(by_key))
        with self._queues.lock:
            for key, head in heads.items():
                index = by_key[key].index
                index.problem = index.problem or head_problem(head, index.head)

    def _read_lost_again(self, growing: Mapping[bytes, OpenQueue]) -> None:
        """Reread from the start those queues whose latest entries Redis has lost: it may have loaded older data.

        Ids come from a clock, which may then be another machine's: new entries need not follow `last_id`.
        """
        last_ids = {key: queue.index.last_id for key, queue in growing.items() if queue.index.grows}
        lost = self._reader.lost_ends(last_ids)
        with self._queues.lock:
            for key in lost:
                growing[key].index.read_again()
        if lost:
            logger.warning("Redis has lost the latest entries of %d audio queues", len(lost))


def _log(error: Exception) -> None:
    if isinstance(error, redis.RedisError | OSError):
        logger.warning("Audio queues cannot be read: %s", error)
    else:
        logger.error("Reading audio queues failed", exc_info=error)
