"""What the supervisor does when a worker is ready or ends, when the private Redis ends, and when a signal arrives."""

import logging
import signal
import sys
from collections.abc import Callable

from asf.adapters.private_redis import NoRedisServer, PrivateRedis
from asf.backoff import Backoff
from asf.entrypoints.supervisor.events import Events
from asf.entrypoints.supervisor.redis_keeper import RedisKeeper
from asf.entrypoints.supervisor.reload import Reload
from asf.entrypoints.supervisor.silence import SilenceWatch
from asf.entrypoints.supervisor.workers import WorkerProcess, Workers

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 10.0
"""Pauses before a worker that has ended is started again."""

STEADY_SECONDS = 1.0
"""A worker that was ready for so long has the first pause again."""

EXTRA_SECONDS = 30.0
"""How much longer than ASF_DRAIN_SECONDS a worker may take to end before it is killed."""

logger = logging.getLogger(__name__)


class Supervisor:
    """Keeps `count` workers running, and `redis` if there is one. `run` returns the exit code."""

    def __init__(
        self,
        workers: Workers,
        count: int,
        redis: PrivateRedis | None,
        events: Events,
        drain_seconds: float,
        on_ready: Callable[[], object],
    ) -> None:
        self._workers = workers
        self._count = count
        self._redis = (
            None if redis is None else RedisKeeper(redis, events, self._start_first, self._redis_failed, self._exit)
        )
        self._events = events
        self._drain_seconds = drain_seconds
        self._on_ready: Callable[[], object] | None = on_ready
        self._pauses = [Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, 0) for _ in range(workers.slots)]
        self._reload = Reload(workers, self._start, self._drain)
        self._silence = SilenceWatch(workers, events)
        self._is_stopping = False
        self._has_ended = False
        self._exit_code = 0

    def run(self) -> int:
        """Start everything, and return when all has ended."""
        self._events.on_signal = {
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
            signal.SIGHUP: self._reload_or_stop,
        }
        self._events.on_child = self._child_ended
        self._silence.look()
        if self._redis is None:
            self._start_first()
        else:
            self._redis.start()
        while not self._has_ended:
            self._events.handle()
        return self._exit_code

    def _start_first(self) -> None:
        """Start one worker alone: where it cannot start, the others cannot either."""
        self._start(0, is_first=True)

    def _start(self, slot: int, *, is_first: bool = False) -> WorkerProcess | None:
        try:
            worker = self._workers.start(slot, is_first=is_first)
        except OSError as error:
            pause = self._pauses[slot].next_pause()
            logger.error("A worker cannot be started: %s. Next attempt in %g s", error, pause)  # noqa: TRY400
            self._events.call_later(pause, lambda: self._start_again(slot))
            return None
        self._events.watch(worker.status, lambda: self._worker_said(worker))
        return worker

    def _start_again(self, slot: int) -> None:
        if not self._is_stopping and slot not in self._workers.by_slot:
            self._start(slot, is_first=self._on_ready is not None and slot == 0)

    def _worker_said(self, worker: WorkerProcess) -> None:
        self._events.unwatch(worker.status)
        if not worker.note_ready() or self._is_stopping:
            return
        if self._on_ready is not None:
            self._start_others()
        elif not self._reload.is_ready(worker):
            logger.info("Worker %d is ready (process %d)", worker.slot, worker.pid)

    def _start_others(self) -> None:
        """Start the workers after the first one, or report that all are ready."""
        running = self._workers.by_slot
        if len(running) < self._count:
            for slot in range(self._count):
                if slot not in running:
                    self._start(slot)
        elif self._on_ready is not None and all(one.ready_at is not None for one in running.values()):
            on_ready, self._on_ready = self._on_ready, None
            on_ready()

    def _drain(self, worker: WorkerProcess) -> None:
        worker.drain()
        self._events.call_later(self._drain_seconds + EXTRA_SECONDS, lambda: self._kill_if_left(worker))

    def _kill_if_left(self, worker: WorkerProcess) -> None:
        if self._workers.by_slot.get(worker.slot) is worker:
            logger.error("Worker %d does not end, killing it", worker.slot)
            worker.signal(signal.SIGKILL)

    def _child_ended(self, pid: int, code: int) -> None:
        if self._redis is not None and self._redis.pid == pid:
            self._redis.ended(code, how_ended(code))
            return
        worker = self._workers.find(pid)
        if worker is None:  # An orphan: in a container this is the first process.
            return
        worker.process.returncode = code
        self._events.unwatch(worker.status)
        self._workers.forget(worker)
        self._workers.pass_on(worker.slot)
        if self._is_stopping:
            self._end_if_all_has()
        elif self._on_ready is not None and worker.ready_at is None:
            self._give_up(code)
        elif not self._reload.ended(worker, how_ended(code)):
            self._restart(worker, code)

    def _give_up(self, code: int) -> None:
        """End everything: a worker has not even started. It has said why."""
        self._is_stopping = True
        self._exit_code = code if code > 0 else 1
        self._workers.drain_all()
        self._end_if_all_has()

    def _redis_failed(self, reason: NoRedisServer) -> None:
        sys.stderr.write(f"Error: {reason}\n")
        self._exit_code = 1
        self._exit()

    def _restart(self, worker: WorkerProcess, code: int) -> None:
        backoff = self._pauses[worker.slot]
        if worker.seconds_ready() >= STEADY_SECONDS:
            backoff.reset()
        pause = backoff.next_pause()
        logger.error("Worker %d has ended (%s). Starting it again in %g s", worker.slot, how_ended(code), pause)
        self._events.call_later(pause, lambda: self._start_again(worker.slot))

    def _reload_or_stop(self) -> None:
        if self._events.terminal_has_gone():
            logger.info("The terminal is closed, stopping")
            self._stop()
        elif self._is_stopping or self._on_ready is not None:
            logger.warning("SIGHUP ignored: the server is starting or stopping")
        else:
            self._reload.begin()

    def _stop(self) -> None:
        if self._is_stopping:
            logger.info("Stopping at once")
            self._exit_code = 1
            self._kill_all()
            return
        self._is_stopping = True
        logger.info(
            "Stopping: waiting up to %g s for the listeners. Press Ctrl-C again to stop now.", self._drain_seconds
        )
        self._workers.drain_all()
        self._events.call_later(self._drain_seconds + EXTRA_SECONDS, self._kill_all)
        self._end_if_all_has()

    def _kill_all(self) -> None:
        for worker in self._workers.by_slot.values():
            worker.signal(signal.SIGKILL)

    def _end_if_all_has(self) -> None:
        """End the Redis when no worker is left, and then this process."""
        if self._workers.by_slot:
            return
        if self._redis is None:
            self._exit()
        else:
            self._redis.stop()

    def _exit(self) -> None:
        self._has_ended = True


def how_ended(code: int) -> str:
    """Return how a process has ended."""
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
