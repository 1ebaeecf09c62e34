"""Blocking calls in worker threads: bounded, in order, with deadlines; what hangs holds up nothing else."""

import threading
from collections.abc import Callable

import pytest

from asf.adapters.blocking_calls import BlockingCall, BlockingCalls, CallTimeout
from asf.domain.errors import AudioUnavailable
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import eventually
from tests.support.stopped_runtime import StoppedRuntime
from tests.support.threads_runtime import ThreadsRuntime

LIMIT = 4


def translate(error: Exception) -> Exception:
    """Return the errors of a file system."""
    if isinstance(error, CallTimeout):
        return AudioUnavailable("It does not respond.")
    return AudioUnavailable("It is broken.") if isinstance(error, OSError) else error


@pytest.mark.parametrize("limit", [1, LIMIT])
def test_only_so_many_calls_run_at_a_time_in_the_order_of_their_arrival(limit: int) -> None:
    """What hangs keeps that many worker threads, and no more."""
    runtime = StoppedRuntime()
    calls = BlockingCalls(runtime, translate, limit=limit)
    results: list[int] = []
    for number in range(10):
        calls.submit(lambda number=number: number, lambda call: results.append(call.outcome()))  # type: ignore[misc]
    assert len(runtime.started) == limit
    while runtime.started:
        runtime.finish()
        assert len(runtime.started) <= limit
    assert results == list(range(10))


def test_a_call_that_is_late_is_reported_twice() -> None:
    """Once when it is late, and once when it returns: then its result is released. One that waits is never run."""
    runtime = StoppedRuntime()
    calls = BlockingCalls(runtime, translate)
    seen: list[tuple[str, bool, int | None]] = []
    run: list[str] = []

    def submit(name: str) -> None:
        def work() -> int:
            run.append(name)
            return 7

        def then(call: BlockingCall[int]) -> None:
            with pytest.raises(AudioUnavailable, match="does not respond"):
                call.outcome()
            seen.append((name, call.returned, call.result))

        calls.submit(work, then, seconds=5)

    submit("running")
    submit("queued")
    assert [seconds for seconds, _ in runtime.timers] == [5, 5]
    for _, expire in runtime.timers:
        expire()
    assert seen == [("running", False, None), ("queued", False, None), ("queued", True, None)]
    runtime.finish()
    assert seen[3:] == [("running", True, 7)]
    assert run == ["running"]
    assert not runtime.started


def test_calls_that_are_made_meanwhile_run_together() -> None:
    """In a thread of their own: in their order, and one that fails does not concern the others."""
    runtime = StoppedRuntime()
    calls = BlockingCalls(runtime, translate, limit=LIMIT, thread=runtime.make_thread())
    order: list[int] = []

    def fail() -> None:
        raise OSError

    calls.submit(lambda: order.append(-1))
    later = [calls.submit(lambda number=number: order.append(number)) for number in range(5)]  # type: ignore[misc]
    failed = calls.submit(fail)
    assert len(runtime.started) == 1
    runtime.finish()
    assert len(runtime.started) == 1
    assert order == [-1]
    runtime.finish()
    assert not runtime.started
    assert order == [-1, 0, 1, 2, 3, 4]
    with pytest.raises(AudioUnavailable, match="broken"):
        failed.outcome()
    assert [call.outcome() for call in later] == [None] * 5


def test_calls_are_gathered_for_a_while() -> None:
    """After others have begun; the first call waits for nothing."""
    runtime = StoppedRuntime()
    calls = BlockingCalls(runtime, translate, thread=runtime.make_thread(), gather_seconds=1000.0)
    first = calls.submit(lambda: -1)
    runtime.finish()
    assert first.outcome() == -1
    assert not runtime.timers
    later = [calls.submit(lambda number=number: number) for number in range(3)]  # type: ignore[misc]
    assert not runtime.started
    ((seconds, end_delay),) = runtime.timers
    assert 0 < seconds <= 1000
    calls._next_start = 0.0  # noqa: SLF001 - as if the time had passed
    end_delay()
    runtime.finish()
    assert [call.outcome() for call in later] == [0, 1, 2]


@pytest.mark.parametrize("has_thread", [True, False])
def test_what_hangs_is_not_waited_for(has_thread: bool) -> None:
    """What waits behind it is not run any more, and other calls are not behind it."""
    runtime = ThreadsRuntime()
    hangs = threading.Event()
    threads = [runtime.make_thread() if has_thread else None for _ in range(2)]
    one, other = (BlockingCalls(runtime, translate, thread=thread, seconds=0.05) for thread in threads)
    ran: list[str] = []
    with pytest.raises(AudioUnavailable, match="does not respond"):
        one.run(hangs.wait)
    with pytest.raises(AudioUnavailable, match="does not respond"):
        one.run(lambda: ran.append("behind it"))
    assert other.run(lambda: 7, PATIENCE_SECONDS) == 7
    hangs.set()
    assert one.run(lambda: 8, PATIENCE_SECONDS) == 8
    assert not ran


def test_several_are_waited_for_at_once() -> None:
    """Each has its deadline from the start on."""
    runtime = StoppedRuntime()
    calls = BlockingCalls(runtime, translate, limit=2)
    waits = [calls.start(lambda: 1, 5), calls.start(lambda: 2, 5)]
    runtime.finish()
    runtime.timers[1][1]()
    assert waits[0]() == 1
    with pytest.raises(AudioUnavailable, match="does not respond"):
        waits[1]()


def test_a_bug_keeps_its_traceback() -> None:
    """Errors that are not translated are those of the caller."""

    def divide() -> float:
        return 1 / 0

    with pytest.raises(ZeroDivisionError) as caught:
        BlockingCalls(ThreadsRuntime(), translate).run(divide, PATIENCE_SECONDS)
    assert "divide" in [entry.name for entry in caught.traceback]


def test_a_caller_that_is_ended_takes_its_call_with_it() -> None:
    """While it waits for its turn: nobody wants its result."""

    class Ended(BaseException):
        pass

    class EndingEvent(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - as it is
            raise Ended

    runtime = StoppedRuntime()
    calls = BlockingCalls(runtime, translate)
    ran: list[str] = []
    first: Callable[[], object] = lambda: ran.append("first")  # noqa: E731
    calls.submit(first)
    runtime.make_event = EndingEvent  # type: ignore[method-assign]
    with pytest.raises(Ended):
        calls.run(lambda: ran.append("second"))
    runtime.finish()
    eventually(lambda: not runtime.started)
    assert ran == ["first"]
