"""A runtime whose worker threads and timers do nothing until the test lets them."""

import threading
from collections.abc import Callable

from asf.adapters.runtime import Thread, Timer


class StoppedRuntime:
    """Keeps what is to run until the test lets it."""

    name = "stopped"

    def __init__(self) -> None:
        self.started: list[tuple[Callable[[], object], Callable[[], object]]] = []
        self.timers: list[tuple[float, Callable[[], object]]] = []

    def spawn(self, work: Callable[[], object]) -> None:
        work()

    def pause(self, seconds: float) -> None:
        """Do nothing: no time passes."""

    def checkpoint(self) -> None:
        """Do nothing: there is no other task."""

    def checkpoint_at_end(self) -> None:
        raise NotImplementedError

    def was_behind(self, seconds: float) -> bool:
        raise NotImplementedError

    def call_later(self, seconds: float, work: Callable[[], object]) -> Timer:
        self.timers.append((seconds, work))
        return threading.Timer(seconds, work)

    def make_event(self) -> threading.Event:
        return threading.Event()

    def make_thread(self) -> Thread:
        return StoppedThread(self)

    def run_in_thread(self, work: Callable[[], object], done: Callable[[], object]) -> None:
        self.started.append((work, done))

    def finish(self, number: int = 0) -> None:
        """Let a call return."""
        work, done = self.started.pop(number)
        work()
        done()


class StoppedThread:
    """Implements the `Thread` port in the same way."""

    def __init__(self, runtime: StoppedRuntime) -> None:
        self._runtime = runtime

    def run(self, work: Callable[[], object], done: Callable[[], object]) -> None:
        """Keep what is to run."""
        self._runtime.run_in_thread(work, done)
