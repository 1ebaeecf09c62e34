"""Draining and shutting down."""

import logging
from collections.abc import Callable

from asf.domain.streaming.service import StreamingService

logger = logging.getLogger(__name__)


class Shutdown:
    """Gives listeners `seconds` to finish or to resume on another server: implements the `Drain` port.

    `has_sent_all` returns whether no connection has data that waits to be sent.
    """

    def __init__(self, streaming: StreamingService, seconds: float, has_sent_all: Callable[[], bool]) -> None:
        self._streaming = streaming
        self._has_sent_all = has_sent_all
        self.seconds = seconds

    @property
    def is_done(self) -> bool:
        """Whether no session is left."""
        return len(self._streaming) == 0

    @property
    def has_sent_all(self) -> bool:
        """Whether no connection has data that waits to be sent."""
        return self._has_sent_all()

    def start(self) -> None:
        """Reject new sessions, and notify the listeners of the others."""
        listeners = _count_of(self._streaming)
        logger.info(
            "Shutting down: waiting up to %g s for %s. Press Ctrl-C again to stop now.", self.seconds, listeners
        )
        self._streaming.drain()

    def end_all(self) -> None:
        """End the sessions that are left."""
        if not self.is_done:
            listeners = _count_of(self._streaming)
            logger.info("Drain time is over: disconnecting %s (resumable by offset).", listeners)
        self._streaming.end_all()


def _count_of(streaming: StreamingService) -> str:
    count = len(streaming)
    return "1 listener" if count == 1 else f"{count} listeners"
