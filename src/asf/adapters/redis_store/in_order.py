"""Work that may take time, done beside everything else: in order where that matters, and else at once."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")

logger = logging.getLogger(__name__)


class InOrder(Generic[Item]):
    """Calls `do` with a key and an item: for the items of one key in their order, one at a time.

    There is a thread for each key that has items, and only as long as it has some.
    """

    def __init__(self, do: Callable[[str, Item], object]) -> None:
        self._do = do
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Item]] = {}

    def put(self, key: str, item: Item) -> None:
        """Let `item` be dealt with after all of the same key that were put before."""
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.append(item)
                return
            self._waiting[key] = deque([item])
        threading.Thread(target=self._work, args=(key,), daemon=True).start()

    def _work(self, key: str) -> None:
        while True:
            with self._lock:
                waiting = self._waiting[key]
                if not waiting:
                    del self._waiting[key]
                    return
                item = waiting.popleft()
            try:
                self._do(key, item)
            except Exception:
                logger.exception("Dealing with a change of %r failed", key)
