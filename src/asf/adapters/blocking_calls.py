"""Runs calls that may block, such as those to a file system, in worker threads: a bounded number at a time, in order.

One `BlockingCalls` stands for what may hang on its own: one mounted file system, one database, the live audio of some
uploads. It never has more threads than its limit, so whatever hangs holds up nothing else.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from asf.adapters.runtime import Runtime, Thread, Timer
from asf.domain.errors import AsfError

T = TypeVar("T")

CALL_SECONDS = 30.0
"""How long a call is waited for, unless the caller says otherwise: a disk or another machine does not answer."""


class CallTimeout(Exception):
    """A call has not returned in time."""


class BlockingCall(Generic[T]):
    """One piece of blocking work. `result` or `error` is what came of it once it has `returned`.

    `then` is called with the call when it has returned, or when it is `late`, that is, past its deadline; in that
    case it is called once more when the call returns at last, to release what that gave.
    """

    __slots__ = ("_work", "error", "late", "result", "returned", "then", "timeout", "timer")

    def __init__(self, work: Callable[[], T], then: "Callable[[BlockingCall[T]], object] | None") -> None:
        self.result: T | None = None
        self.error: Exception | None = None
        self.returned = False
        self.late = False
        self.timeout: Exception | None = None
        self.timer: Timer | None = None
        self.then = then
        self._work = work

    def run(self) -> None:
        """Do the work and keep its result or its error. Raises nothing."""
        try:
            self.result = self._work()
        except Exception as error:  # noqa: BLE001 - it is raised where the result is wanted
            self.error = error

    def outcome(self) -> T:
        """Return the result, or raise the error: that of a call that is late, even if it returns after all."""
        error = self.timeout or self.error
        if isinstance(error, AsfError):
            raise error.with_traceback(None)  # It may be raised to many, and kept.
        if error is not None:
            raise error
        assert self.returned  # noqa: S101
        return self.result  # type: ignore[return-value]


class BlockingCalls:
    """Calls of which up to `limit` run at a time; the others wait in the order in which they came.

    With a `thread` there is one at a time, in that thread: calls that are made while others run are run together
    after these, and no sooner than `gather_seconds` after these have begun. So the busier the server is, the fewer
    changes of threads there are for a call. What follows a call must then not wait. Without a `thread`, calls run in
    the worker threads that all parts of the server share, and what follows them in a task.

    `translate` returns the error that callers get for what a call has raised, which includes `CallTimeout`. `seconds`
    is how long `run` waits.
    """

    def __init__(
        self,
        runtime: Runtime,
        translate: Callable[[Exception], Exception],
        *,
        limit: int = 1,
        thread: Thread | None = None,
        gather_seconds: float = 0.0,
        seconds: float = CALL_SECONDS,
    ) -> None:
        self._runtime = runtime
        self._translate = translate
        self._limit = limit if thread is None else 1
        self._are_gathered = thread is not None
        self._start = runtime.run_in_thread if thread is None else thread.run
        self._gather_seconds = gather_seconds
        self._seconds = seconds
        self._queue: OrderedDict[BlockingCall[Any], None] = OrderedDict()
        self._running = 0
        self._is_delayed = False
        self._next_start = 0.0

    def submit(
        self,
        work: Callable[[], T],
        then: Callable[[BlockingCall[T]], object] | None = None,
        seconds: float | None = None,
    ) -> BlockingCall[T]:
        """Run `work` now or as soon as it is its turn; late after `seconds` (None: never).

        `work` must not touch what tasks wait for: no lock, no log.
        """
        call = BlockingCall(work, then)
        if seconds is not None:
            # Not on the event loop: what follows may wait.
            call.timer = self._runtime.call_later(seconds, partial(self._runtime.spawn, partial(self._expire, call)))
        self._queue[call] = None
        self._start_queued()
        return call

    def run(self, work: Callable[[], T], seconds: float | None = None) -> T:
        """Run `work` and return its result. The calling task waits, for up to `seconds` (None: as usual).

        Raises what `translate` returns for what `work` raises, or for `CallTimeout`.
        """
        finished = self._runtime.make_event()
        call = self.submit(work, lambda _call: finished.set())
        try:
            if not finished.wait(self._seconds if seconds is None else seconds):
                self._expire(call)
        except BaseException:  # The task is ended: nobody wants the call any more.
            self._queue.pop(call, None)
            raise
        return call.outcome()

    def start(self, work: Callable[[], T], seconds: float) -> Callable[[], T]:
        """Do as `run`, but return a function that waits."""
        finished = self._runtime.make_event()
        call = self.submit(work, lambda _call: finished.set(), seconds)

        def wait() -> T:
            finished.wait(None)
            return call.outcome()

        return wait

    def _start_queued(self) -> None:
        while self._queue and self._running < self._limit and not self._is_delayed:
            if self._gather_seconds and (delay := self._next_start - time.monotonic()) > 0:
                self._is_delayed = True
                self._runtime.call_later(delay, self._end_delay)
                return
            self._next_start = time.monotonic() + self._gather_seconds if self._gather_seconds else 0.0
            calls = self._next_calls()
            self._running += 1
            self._start(partial(_run_all, calls), partial(self._done, calls))

    def _end_delay(self) -> None:
        self._is_delayed = False
        self._start_queued()

    def _next_calls(self) -> Sequence[BlockingCall[Any]]:
        if not self._are_gathered:
            return (self._queue.popitem(last=False)[0],)
        calls = tuple(self._queue)
        self._queue.clear()
        return calls

    def _done(self, calls: Sequence[BlockingCall[Any]]) -> None:
        self._running -= 1
        self._start_queued()
        for call in calls:
            if call.timer is not None:
                call.timer.cancel()
            if call.error is not None:
                call.error = self._translated(call.error)
            self._end(call)

    def _expire(self, call: BlockingCall[Any]) -> None:
        if call.returned:
            return
        call.late = True
        call.timeout = self._translate(CallTimeout())
        is_queued = call in self._queue
        if is_queued:  # It is not worth a thread any more.
            del self._queue[call]
        if call.then is not None:
            call.then(call)
        if is_queued:
            self._end(call)

    def _translated(self, error: Exception) -> Exception:
        translated = self._translate(error)
        if translated is not error:
            translated.__cause__ = error
        return translated

    @staticmethod
    def _end(call: BlockingCall[Any]) -> None:
        call.returned = True
        if call.then is not None:
            call.then(call)


def _run_all(calls: Sequence[BlockingCall[Any]]) -> None:
    for call in calls:
        call.run()
