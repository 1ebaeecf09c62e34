"""How the server comes to its end."""

import logging
from collections.abc import Callable

from asf.domain.streaming.service import StreamingService

logger = logging.getLogger(__name__)


class Shutdown:
    """Gives listeners `seconds` to go elsewhere, or to hear the rest. `has_all` tells whether all was sent.

    What serves the process asks it, as its `Drain`.
    """

    def __init__(self, streaming: StreamingService, seconds: float, has_all: Callable[[], bool]) -> None:
        self._streaming = streaming
        self._has_all = has_all
        self.seconds = seconds

    @property
    def is_done(self) -> bool:
        """Whether no listener is left."""
        return len(self._streaming) == 0

    @property
    def has_sent_all(self) -> bool:
        """Whether nothing waits to be sent any more."""
        return self._has_all()

    def begin(self) -> None:
        """Let no listener join any more, and tell those that are there."""
        logger.info("Draining: %d listeners have up to %g s", len(self._streaming), self.seconds)
        self._streaming.drain()

    def end(self) -> None:
        """End the sessions that are left."""
        if not self.is_done:
            logger.info("%d listeners are told to go on elsewhere", len(self._streaming))
        self._streaming.end_all()
