"""What is done with connections some time after something else."""

import logging
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import eventlet

logger = logging.getLogger(__name__)


class FixedDelay:
    """Calls `action` with each connection that is added, once, `seconds` later, if it is still there then.

    One green thread serves all connections. A green thread for each would cost memory, and sleep on when its
    connection is long gone.
    """

    def __init__(self, seconds: float, action: Callable[[Any], object]) -> None:
        self._seconds = seconds
        self._action = action
        # The delay is the same for all, so the order of adding is the order of falling due.
        self._waiting: deque[tuple[float, weakref.ref[Any]]] = deque()
        self._is_running = False

    def add(self, connection: Any) -> None:
        """Call the action with the connection when it is time."""
        self._waiting.append((time.monotonic() + self._seconds, weakref.ref(connection)))
        if not self._is_running:
            self._is_running = True
            eventlet.spawn(self._run)

    def _run(self) -> None:
        while self._waiting:
            due, reference = self._waiting.popleft()
            eventlet.sleep(max(0.0, due - time.monotonic()))
            connection = reference()
            if connection is not None:
                self._act_on(connection)
        self._is_running = False

    def _act_on(self, connection: Any) -> None:
        try:
            self._action(connection)
        except Exception:
            logger.exception("What was due for a connection failed")
