"""Runs the file calls of one mounted file system in worker threads: a bounded number at a time, with deadlines."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from asf.adapters.audio_files.content import unreadable
from asf.adapters.runtime import Runtime, Timer
from asf.domain.errors import AsfError, AudioUnavailable

T = TypeVar("T")

MAX_CALLS = 4
"""Maximum calls to one file system that run at a time. One that hangs keeps so many of the worker threads."""

READ_SECONDS = 30.0
"""How long listeners wait for bytes before their sessions fail."""

FAILURE_SECONDS = 1.0
"""For how long a failed read is kept, so that all its readers get the error."""

logger = logging.getLogger(__name__)


class FileCall(Generic[T]):
    """One piece of blocking work. `result` or `error` is what came of it once it has `returned`.

    `then` is called with the call on the event loop when it has returned, or when it is `late`, that is, past its
    deadline; in that case it is called once more when the call returns at last, to release what that gave.
    """

    def __init__(self, work: Callable[[], T], then: "Callable[[FileCall[T]], object]") -> None:
        self.result: T | None = None
        self.error: AsfError | None = None
        self.returned = False
        self.late = False
        self.timer: Timer | None = None
        self.cause: Exception | None = None
        self.then = then
        self._work = work

    def run(self) -> None:
        """Do the work and keep its result or its error. Raises nothing."""
        try:
            self.result = self._work()
        except AsfError as error:
            self.error = error
        except OSError as error:
            self.error = unreadable(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, `then` must follow
            self.error = AudioUnavailable("Reading failed.")
            self.cause = error

    def outcome(self) -> T:
        """Return the result, or raise the error, which is `AudioUnavailable` for a call that is late."""
        if self.late:
            raise AudioUnavailable("The file system does not respond.")
        if self.error is not None:
            raise self.error.with_traceback(None)
        assert self.returned  # noqa: S101
        return self.result  # type: ignore[return-value]


class FileWorker:
    """The calls to one file system: up to `limit` run at a time, the others wait in the order in which they came."""

    def __init__(self, runtime: Runtime, limit: int = MAX_CALLS) -> None:
        self._runtime = runtime
        self._limit = limit
        self._queue: OrderedDict[FileCall[Any], None] = OrderedDict()
        self._running = 0

    def submit(
        self, work: Callable[[], T], then: Callable[[FileCall[T]], object], seconds: float | None = None
    ) -> FileCall[T]:
        """Run `work` now or as soon as other calls have returned; late after `seconds` (None: never)."""
        call = FileCall(work, then)
        if seconds is not None:
            call.timer = self._runtime.call_later(seconds, partial(self._runtime.spawn, partial(self._expire, call)))
        self._queue[call] = None
        self._start_queued()
        return call

    def run(self, work: Callable[[], T], seconds: float) -> T:
        """Run `work` and wait for it, while other tasks run.

        Raises what `work` raises, and `AudioUnavailable` after `seconds`.
        """
        return self.start(work, seconds)()

    def start(self, work: Callable[[], T], seconds: float) -> Callable[[], T]:
        """Do as `run`, but return a function that waits."""
        finished = threading.Event()
        call = self.submit(work, lambda _call: finished.set(), seconds)

        def wait() -> T:
            finished.wait()
            return call.outcome()

        return wait

    def _start_queued(self) -> None:
        while self._queue and self._running < self._limit:
            call, _ = self._queue.popitem(last=False)
            self._running += 1
            self._runtime.run_in_thread(call.run, partial(self._done, call))

    def _done(self, call: FileCall[Any]) -> None:
        self._running -= 1
        if call.timer is not None:
            call.timer.cancel()
        if call.cause is not None:
            logger.error("A file call failed", exc_info=call.cause)
        self._start_queued()
        call.returned = True
        call.then(call)

    def _expire(self, call: FileCall[Any]) -> None:
        if call.returned:
            return
        call.late = True
        is_queued = call in self._queue
        if is_queued:  # It is not worth a thread any more.
            del self._queue[call]
        call.then(call)
        if is_queued:
            call.returned = True
            call.then(call)
