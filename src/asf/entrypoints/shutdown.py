"""Shutdown: drains the server, ends the remaining sessions, and waits for the last bytes to be sent.

The runtime receives SIGTERM or SIGINT (`eventlet_runtime.os_signals`) and calls `Shutdown`; then it stops
listening.
"""

import logging
from collections.abc import Callable

from asf.adapters.http_api import UpdateLines
from asf.domain.clock import Clock
from asf.domain.streaming.service import StreamingService
from asf.domain.uploads.service import Uploads

POLL_SECONDS = 0.05
"""Interval between checks whether the drain is complete."""

FLUSH_SECONDS = 1.0
"""Longest time, after the drain, for clients to read what was sent to them."""

logger = logging.getLogger(__name__)


class Shutdown:
    """Gives listeners `seconds` to finish or to resume on another server, then breaks off the uploads under way.

    Requests with updates by line end at once: their backends continue with other requests.

    `has_sent_all` returns whether no connection has data that waits to be sent. `listeners_beside` returns how many
    listeners other workers have that drain with this one: all end together, as one server.
    """

    def __init__(
        self,
        streaming: StreamingService,
        uploads: Uploads,
        update_lines: UpdateLines,
        seconds: float,
        has_sent_all: Callable[[], bool],
        clock: Clock,
        listeners_beside: Callable[[], int],
    ) -> None:
        self._streaming = streaming
        self._uploads = uploads
        self._update_lines = update_lines
        self._seconds = seconds
        self._has_sent_all = has_sent_all
        self._clock = clock
        self._listeners_beside = listeners_beside

    def __call__(self, pause: Callable[[float], object]) -> None:
        """Shut down, and return when that is done. `pause` suspends the calling task for the seconds it is passed."""
        logger.info(
            "Shutting down: waiting up to %g s for %s. Press Ctrl-C again to stop now.",
            self._seconds,
            self._listeners(),
        )
        self._update_lines.drain()
        self._uploads.drain()
        self._streaming.drain()
        self._wait_for(lambda: not len(self._streaming) and not self._listeners_beside(), self._seconds, pause)
        if len(self._streaming):
            logger.info("Drain time is over: disconnecting %s (resumable by offset).", self._listeners())
        # Not before: those who still listen hear what is uploaded.
        self._uploads.end_all()
        self._streaming.end_all()
        self._wait_for(self._is_done, FLUSH_SECONDS, pause)

    def _wait_for(self, condition: Callable[[], bool], seconds: float, pause: Callable[[float], object]) -> None:
        end = self._clock.now() + seconds
        while not condition() and self._clock.now() < end:
            pause(POLL_SECONDS)

    def _is_done(self) -> bool:
        """Return whether nothing is under way any more."""
        return self._has_sent_all() and not len(self._uploads) and not len(self._update_lines)

    def _listeners(self) -> str:
        count = len(self._streaming)
        return "1 listener" if count == 1 else f"{count} listeners"
