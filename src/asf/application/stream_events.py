"""Reports what happens to streams: their first listener, their last one, their end."""

import logging
from collections.abc import Mapping
from typing import Any

from asf.domain.clock import Clock
from asf.domain.errors import CatalogUnavailable, StreamNotFound
from asf.domain.streaming.audience_changes import AudienceEvent
from asf.domain.streams.catalog import StreamCatalog
from asf.domain.streams.stream import AudioStream
from asf.domain.webhooks.event import EventReporter, EventType, StreamEvent

TYPES = {
    AudienceEvent.FIRST_LISTENER: EventType.FIRST_LISTENER,
    AudienceEvent.LAST_LISTENER_LEFT: EventType.LAST_LISTENER_LEFT,
}

logger = logging.getLogger(__name__)


class StreamEvents:
    """Passes events of the audience and of the `catalog` to the `reporter`."""

    def __init__(self, catalog: StreamCatalog, clock: Clock, reporter: EventReporter) -> None:
        self._catalog = catalog
        self._clock = clock
        self._reporter = reporter
        catalog.on_ended.connect(self._ended)

    def audience_changed(self, event: AudienceEvent, stream_id: str) -> None:
        """Report that a stream has got its first listener, or has lost its last one. May yield."""
        timestamp = self._clock.timestamp()
        self._report(TYPES[event], stream_id, self._epoch_of(stream_id), timestamp, {})

    def _ended(self, stream: AudioStream) -> None:
        details = {"state": stream.state.value, "reason": stream.reason}
        self._report(EventType.ENDED, stream.stream_id, stream.epoch, self._clock.timestamp(), details)

    def _epoch_of(self, stream_id: str) -> str | None:
        """Return the current epoch of a stream; None if it is not announced, or cannot be looked up now."""
        try:
            return self._catalog.find(stream_id).epoch
        except StreamNotFound:
            return None
        except CatalogUnavailable as error:
            logger.warning("The epoch of stream %r cannot be reported: %s", stream_id, error.details)
            return None

    def _report(
        self, kind: EventType, stream_id: str, epoch: str | None, timestamp: float, details: Mapping[str, Any]
    ) -> None:
        self._reporter.report(StreamEvent(kind, stream_id, epoch, timestamp, details))
