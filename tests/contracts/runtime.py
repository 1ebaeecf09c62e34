"""What every `Runtime` promises."""

import threading
import time
from collections.abc import Callable

import pytest

from asf.adapters.runtime import Runtime
from tests.support.bounds import PATIENCE_SECONDS


class RuntimeContract:
    """Inherit, and provide the fixtures `runtime` and `pause`."""

    @pytest.fixture
    def runtime(self) -> Runtime:
        raise NotImplementedError

    @pytest.fixture
    def pause(self) -> Callable[[float], object]:
        """Return a function that waits for so many seconds, in which tasks and timers run."""
        raise NotImplementedError

    def wait_until(self, condition: Callable[[], object], pause: Callable[[float], object]) -> None:
        """Let tasks and timers run until a condition holds."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end
            pause(0.001)

    def test_spawned_work_runs(self, runtime: Runtime, pause: Callable[[float], object]) -> None:
        done: list[int] = []
        runtime.spawn(lambda: done.append(1))
        runtime.spawn(lambda: done.append(2))
        self.wait_until(lambda: sorted(done) == [1, 2], pause)

    def test_failures_are_logged_and_stop_nothing(
        self, runtime: Runtime, pause: Callable[[float], object], caplog: pytest.LogCaptureFixture
    ) -> None:
        done: list[int] = []
        runtime.spawn(lambda: 1 // 0)
        runtime.run_in_thread(lambda: 1 // 0, lambda: done.append(1))
        runtime.spawn(lambda: done.append(2))
        self.wait_until(lambda: sorted(done) == [1, 2], pause)
        self.wait_until(lambda: caplog.text.count("ZeroDivisionError:") == 2, pause)

    def test_a_timer_calls_once_when_its_delay_has_passed(
        self, runtime: Runtime, pause: Callable[[float], object]
    ) -> None:
        start = time.monotonic()
        called: list[float] = []
        timer = runtime.call_later(0.02, lambda: called.append(time.monotonic() - start))
        self.wait_until(lambda: called, pause)
        assert called[0] >= 0.02
        timer.cancel()
        timer.cancel()
        pause(0.03)
        assert len(called) == 1

    def test_a_cancelled_timer_does_not_call(self, runtime: Runtime, pause: Callable[[float], object]) -> None:
        called: list[int] = []
        runtime.call_later(0.5, lambda: called.append(1)).cancel()
        runtime.call_later(0.6, lambda: called.append(2))
        self.wait_until(lambda: called, pause)
        assert called == [2]

    def test_tasks_wait_for_an_event(self, runtime: Runtime, pause: Callable[[float], object]) -> None:
        event = runtime.make_event()
        assert not event.wait(0.01)
        woken: list[bool] = []
        runtime.spawn(lambda: woken.append(event.wait(PATIENCE_SECONDS)))
        pause(0.01)
        event.set()
        event.set()
        assert event.wait(PATIENCE_SECONDS)
        self.wait_until(lambda: woken == [True], pause)

    def test_a_thread_runs_work_in_its_order(
        self, runtime: Runtime, pause: Callable[[float], object], caplog: pytest.LogCaptureFixture
    ) -> None:
        thread = runtime.make_thread()
        order: list[str] = []
        release = self.blocking_event()

        def work() -> None:
            release.wait(PATIENCE_SECONDS)
            order.append("work")

        thread.run(work, lambda: order.append("done"))
        thread.run(lambda: 1 // 0, lambda: order.append("after a failure"))
        runtime.spawn(lambda: order.append("a task"))
        self.wait_until(lambda: order == ["a task"], pause)
        release.set()
        self.wait_until(lambda: len(order) == 4, pause)
        thread.run(lambda: order.append("more"), lambda: 1 // 0)
        thread.run(lambda: None, lambda: order.append("the end"))
        self.wait_until(lambda: len(order) == 6, pause)
        assert [step for step in order if step not in {"done", "more"}] == [
            "a task",
            "work",
            "after a failure",
            "the end",
        ]
        assert caplog.text.count("ZeroDivisionError:") == 2

    def test_blocking_work_runs_beside_tasks_and_is_reported(
        self, runtime: Runtime, pause: Callable[[float], object]
    ) -> None:
        order: list[str] = []
        release = self.blocking_event()

        def work() -> None:
            release.wait(PATIENCE_SECONDS)
            order.append("work")

        runtime.run_in_thread(work, lambda: order.append("done"))
        runtime.spawn(lambda: order.append("task"))
        self.wait_until(lambda: order, pause)
        assert order == ["task"]
        release.set()
        self.wait_until(lambda: len(order) == 3, pause)
        assert order == ["task", "work", "done"]

    def test_long_work_does_not_hold_up_others(self, runtime: Runtime, pause: Callable[[float], object]) -> None:
        """Two tasks that each work until another one has had many turns."""
        turns: list[int] = []
        done: list[int] = []
        end = time.monotonic() + PATIENCE_SECONDS

        def work() -> None:
            while len(turns) < 20:
                assert time.monotonic() < end
                runtime.checkpoint()
            done.append(1)

        def stand_by() -> None:
            while len(done) < 2:
                turns.append(1)
                runtime.pause(0)

        for task in (work, work, stand_by):
            runtime.spawn(task)
        self.wait_until(lambda: len(done) == 2, pause)

    @staticmethod
    def blocking_event() -> threading.Event:
        """Return an event whose `wait` blocks the thread that calls it."""
        return threading.Event()
