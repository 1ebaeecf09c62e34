"""Finds workers whose event loop does not run any more, and ends them: others are started in their place."""

import logging
import signal

from asf.adapters.workers.table import Row
from asf.entrypoints.supervisor.events import Events
from asf.entrypoints.supervisor.workers import WorkerProcess, Workers

LOOK_SECONDS = 1.0
"""Interval between two looks at all workers."""

SILENT_LOOKS = 30
"""A worker that gives no sign of life between so many looks hangs. Gunicorn's `timeout` is 30 s by default, too."""

logger = logging.getLogger(__name__)


class SilenceWatch:
    """Kills a worker that was ready and gives no sign of life (`Seat.beat`) any more, also one that drains.

    Looks are counted, not seconds: while the machine or the container is suspended, nobody looks.
    """

    def __init__(self, workers: Workers, events: Events) -> None:
        self._workers = workers
        self._events = events

    def look(self) -> None:
        """Look at all workers, now and from now on."""
        for worker in self._workers.by_slot.values():
            if worker.ready_at is not None:
                self._look_at(worker)
        self._events.call_later(LOOK_SECONDS, self.look)

    def _look_at(self, worker: WorkerProcess) -> None:
        beats = self._workers.table.get(Row.BEATS, worker.slot)
        worker.silent_looks = worker.silent_looks + 1 if beats == worker.beats else 0
        worker.beats = beats
        if worker.silent_looks == SILENT_LOOKS:
            silent = SILENT_LOOKS * LOOK_SECONDS
            logger.error(
                "Worker %d (process %d) has given no sign of life for %g s, killing it",
                worker.slot,
                worker.pid,
                silent,
            )
            worker.signal(signal.SIGKILL)
