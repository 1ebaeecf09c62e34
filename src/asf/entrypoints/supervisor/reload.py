"""A reload: one worker after another is replaced by a new one, which is ready before the old one drains."""

import logging
from collections.abc import Callable

from asf.entrypoints.supervisor.workers import WorkerProcess, Workers

logger = logging.getLogger(__name__)


class Reload:
    """Replaces `workers`. `start` starts one in a slot, and returns None if it cannot; `drain` lets one drain."""

    def __init__(
        self,
        workers: Workers,
        start: Callable[[int], WorkerProcess | None],
        drain: Callable[[WorkerProcess], object],
    ) -> None:
        self._workers = workers
        self._start = start
        self._drain = drain
        self._waiting: list[WorkerProcess] = []
        # The worker whose turn it is, and the one that takes its place. The old one may end by itself before.
        self._old: WorkerProcess | None = None
        self._new: WorkerProcess | None = None

    def begin(self) -> None:
        """Replace all workers that are there now."""
        if self._old is not None or self._new is not None:
            logger.warning("SIGHUP ignored: a reload is under way")
            return
        logger.info("SIGHUP received, replacing one worker after another")
        self._waiting = sorted(self._workers.by_slot.values(), key=lambda one: one.generation)
        self._replace_next()

    def is_ready(self, worker: WorkerProcess) -> bool:
        """Return whether a worker that is ready takes the place of another one, which now drains."""
        if worker is not self._new:
            return False
        self._new = None
        if self._old is None:
            self._replace_next()
        else:
            logger.info("Worker %d takes the place of worker %d", worker.slot, self._old.slot)
            self._drain(self._old)
        return True

    def ended(self, worker: WorkerProcess, how: str) -> bool:
        """Take note that a worker has ended. Returns False if another one must be started in its slot."""
        if worker is self._new:
            is_needed = self._old is None
            self._new = self._old = None
            self._waiting.clear()
            logger.error("Reload stopped: the new worker has ended (%s). The others continue as before", how)
            return not is_needed
        if worker is self._old:
            self._old = None
            if self._new is None:
                self._replace_next()
            return True  # The new one takes its place, or has taken it.
        if worker in self._waiting:  # The next one in its slot has what the reload changes.
            self._waiting.remove(worker)
        return False

    def _replace_next(self) -> None:
        if not self._waiting:
            logger.info("Reload complete")
            return
        slot = self._workers.free_slot()
        self._new = None if slot is None else self._start(slot)
        if self._new is None:
            self._waiting.clear()
            logger.error("Reload stopped: no further worker can be started")
        else:
            self._old = self._waiting.pop(0)
