"""One timer for fixed delays."""

import logging
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from asf.adapters.runtime import Runtime

Subject = TypeVar("Subject")

logger = logging.getLogger(__name__)


class FixedDelay(Generic[Subject]):
    """Calls `action` once with each object that is added, `seconds` later, if the object still exists by then.

    The actions run one after another in one task, which yields every few milliseconds, and may wait. One timer serves
    all objects: a task for each would cost memory, and outlive its object.
    """

    def __init__(self, runtime: Runtime, seconds: float, action: Callable[[Subject], object]) -> None:
        self._runtime = runtime
        self._seconds = seconds
        self._action = action
        # The delay is the same for all, so the order of adding is the order of falling due.
        self._waiting: deque[tuple[float, weakref.ref[Subject]]] = deque()
        self._is_running = False

    def add(self, subject: Subject) -> None:
        """Call the action with the object when the delay has passed."""
        self._waiting.append((time.monotonic() + self._seconds, weakref.ref(subject)))
        if not self._is_running:
            self._is_running = True
            self._runtime.call_later(self._seconds, self._start)

    def _start(self) -> None:
        self._runtime.spawn(self._run)

    def _run(self) -> None:
        while self._waiting:
            due, reference = self._waiting[0]
            delay = due - time.monotonic()
            if delay > 0:
                self._runtime.call_later(delay, self._start)
                return
            self._waiting.popleft()
            subject = reference()
            if subject is not None:
                self._act_on(subject)
            self._runtime.checkpoint()
        self._is_running = False

    def _act_on(self, subject: Subject) -> None:
        try:
            self._action(subject)
        except Exception:
            logger.exception("A delayed action failed")
