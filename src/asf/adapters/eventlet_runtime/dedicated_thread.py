"""A thread of its own for short work that is frequent: one change of threads costs a fifth of one to the pool's."""

import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from eventlet import hubs, patcher

logger = logging.getLogger(__name__)

# The thread is a real one: the cooperative versions would wait for the event loop.
_threading = patcher.original("threading")
_queue = patcher.original("queue")
_os = patcher.original("os")

WAKE_BYTES = 4096
"""Wake-ups of the event loop that are read at once."""


class DedicatedThread:
    """Runs work in its order in one thread, which starts with the first call. `run` is called on one event loop.

    The thread ends with the process. An exception in work is logged.
    """

    def __init__(self) -> None:
        self._work = _queue.SimpleQueue()
        self._finished: deque[tuple[Callable[[], object], BaseException | None]] = deque()
        self._writing = -1

    def run(self, work: Callable[[], object], done: Callable[[], object]) -> None:
        """Run `work` in the thread, and `done` on the event loop after it. `done` must not wait."""
        if self._writing < 0:
            self._start()
        self._work.put((work, done))

    def _start(self) -> None:
        reading, self._writing = _os.pipe()
        _os.set_blocking(reading, False)
        _os.set_blocking(self._writing, False)
        hub = hubs.get_hub()
        hub.add(hub.READ, reading, self._finish, self._finish, lambda: None)
        _threading.Thread(target=self._serve, name="dedicated", daemon=True).start()

    def _serve(self) -> None:
        while True:
            work, done = self._work.get()
            error: BaseException | None = None
            try:
                work()
            except Exception as caught:  # noqa: BLE001 - it is logged on the event loop
                error = caught
            self._finished.append((done, error))
            with suppress(BlockingIOError):  # The loop has not read thousands of earlier wake-ups: it will.
                _os.write(self._writing, b"x")

    def _finish(self, reading: int) -> None:
        """Call what is to be called after the work that was done. The hub calls this."""
        try:
            _os.read(reading, WAKE_BYTES)
        except BlockingIOError:
            return
        while self._finished:
            done, error = self._finished.popleft()
            if error is not None:
                logger.error("Work in a thread failed", exc_info=error)
            try:
                done()
            except Exception:
                logger.exception("A task failed")
