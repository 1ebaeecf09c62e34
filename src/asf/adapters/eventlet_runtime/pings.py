"""Pings for connections, so that proxies and peers see that they live."""

import logging
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import eventlet

logger = logging.getLogger(__name__)


class PingSchedule:
    """Calls `ping` with each connection that is added, once, `interval` seconds later, if it is still there then.

    One green thread serves all connections. A green thread for each would cost memory, and sleep on for up to an
    interval when its connection is long gone.
    """

    def __init__(self, interval: float, ping: Callable[[Any], object]) -> None:
        self._interval = interval
        self._ping = ping
        # The interval is the same for all, so the order of adding is the order of falling due.
        self._waiting: deque[tuple[float, weakref.ref[Any]]] = deque()
        self._is_running = False

    def add(self, connection: Any) -> None:
        """Ping the connection when it is time."""
        self._waiting.append((time.monotonic() + self._interval, weakref.ref(connection)))
        if not self._is_running:
            self._is_running = True
            eventlet.spawn(self._run)

    def _run(self) -> None:
        while self._waiting:
            due, reference = self._waiting.popleft()
            eventlet.sleep(max(0.0, due - time.monotonic()))
            connection = reference()
            if connection is not None:
                self._ping_one(connection)
        self._is_running = False

    def _ping_one(self, connection: Any) -> None:
        try:
            self._ping(connection)
        except Exception:
            logger.exception("Sending a ping failed")
