"""Streams whose producers are gone: marked as failed, once for all later listeners and all servers."""

import logging
from collections.abc import Callable
from functools import partial

from asf.domain.errors import CatalogUnavailable
from asf.domain.streams.catalog import StreamCatalog
from asf.domain.streams.stream import AudioStream

logger = logging.getLogger(__name__)


class StalledStreams:
    """Marks a stream as failed after its audio has not grown for `give_up_seconds` under the eyes of a listener.

    The catalog decides whether it still is that generation; `spawn` runs a function in a task of its own, because
    the catalog may yield.
    """

    def __init__(
        self, catalog: StreamCatalog, spawn: Callable[[Callable[[], object]], object], give_up_seconds: float
    ) -> None:
        self._catalog = catalog
        self._spawn = spawn
        self._give_up_seconds = give_up_seconds

    def give_up(self, stream: AudioStream) -> None:
        """Mark `stream` as failed soon. Raises nothing."""
        self._spawn(partial(self._fail, stream))

    def _fail(self, stream: AudioStream) -> None:
        seconds = self._give_up_seconds
        try:
            if self._catalog.give_up(stream, seconds):
                logger.warning("Stream %r is marked as failed: it has not grown for %g s", stream.stream_id, seconds)
        except CatalogUnavailable as error:  # The next listener that waits in vain brings it here again.
            logger.warning("Stream %r cannot be marked as failed: %s", stream.stream_id, error.details)
