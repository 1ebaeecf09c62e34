"""Per-key serial executor."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")

logger = logging.getLogger(__name__)


class SerialExecutor(Generic[Item]):
    """Calls `work` with a key and an item: the items of one key in order, one at a time; different keys concurrently.

    `start` runs a function that processes the items of one key: in a thread of its own, or at once in the caller's
    task. An exception that `work` raises is logged.
    """

    def __init__(self, work: Callable[[str, Item], object], start: Callable[[Callable[[], None]], object]) -> None:
        self._work = work
        self._start = start
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Item]] = {}
        self._running: set[str] = set()

    def submit(self, key: str, item: Item) -> None:
        """Queue `item` behind all items of the same key that were submitted before."""
        with self._lock:
            self._waiting.setdefault(key, deque()).append(item)
            if key in self._running:
                return
            self._running.add(key)
        self._start(lambda: self._run(key))

    def _run(self, key: str) -> None:
        try:
            while items := self._next(key):
                try:
                    self._work(key, items[0])
                except Exception:
                    logger.exception("Processing a change of %r failed", key)
        except BaseException:
            # The task is being stopped: the next item's task takes over what is left.
            self._running.discard(key)
            raise

    def _next(self, key: str) -> tuple[Item] | None:
        """Return the next item of the key, or None after the last one; then the key is no longer running."""
        with self._lock:
            waiting = self._waiting[key]
            if waiting:
                return (waiting.popleft(),)
            del self._waiting[key]
            self._running.discard(key)
            return None


def start_thread(work: Callable[[], None]) -> None:
    """Run `work` in a daemon thread of its own."""
    threading.Thread(target=work, daemon=True).start()


def run_at_once(work: Callable[[], None]) -> None:
    """Run `work` in the caller's task, before this returns."""
    work()
