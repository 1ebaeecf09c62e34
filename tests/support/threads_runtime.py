"""A runtime on plain threads, for tests of what needs one: implements the `Runtime` port."""

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

logger = logging.getLogger(__name__)


class ThreadsRuntime:
    """Tasks are threads. They do not take turns: work that relies on that needs another runtime."""

    name = "threading"

    def spawn(self, work: Callable[[], object]) -> None:
        """Run `work` in a thread of its own."""
        threading.Thread(target=_run_logged, args=[work], daemon=True).start()

    def pause(self, seconds: float) -> None:
        """Suspend the calling thread."""
        time.sleep(seconds)

    def checkpoint(self) -> None:
        """Do nothing: the operating system lets other threads run."""

    def checkpoint_at_end(self) -> None:
        """Do nothing, as above."""

    def was_behind(self, _seconds: float) -> bool:
        """Return False: nothing waits for another thread."""
        return False

    def call_later(self, seconds: float, work: Callable[[], object]) -> threading.Timer:
        """Call `work` in a thread after so many seconds."""
        timer = threading.Timer(seconds, work)
        timer.daemon = True
        timer.start()
        return timer

    def make_event(self) -> threading.Event:
        """Return an event that threads can wait for."""
        return threading.Event()

    def make_thread(self) -> "ThreadsThread":
        """Return something that runs work in its order."""
        return ThreadsThread()

    def run_in_thread(self, work: Callable[[], object], done: Callable[[], object]) -> None:
        """Run `work`, and `done` after it, in a thread of their own."""

        def run() -> None:
            _run_logged(work)
            _run_logged(done)

        self.spawn(run)


class ThreadsThread:
    """Implements the `Thread` port: a thread, which calls what follows the work, too."""

    def __init__(self) -> None:
        self._work: SimpleQueue[tuple[Callable[[], object], Callable[[], object]]] = SimpleQueue()
        threading.Thread(target=self._serve, daemon=True).start()

    def run(self, work: Callable[[], object], done: Callable[[], object]) -> None:
        """Run `work`, and `done` after it."""
        self._work.put((work, done))

    def _serve(self) -> None:
        while True:
            for step in self._work.get():
                _run_logged(step)


def _run_logged(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:
        logger.exception("A task failed")
