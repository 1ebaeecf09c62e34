"""The listeners of a server that is the only one: implements the `ListenerCounts` port."""

import logging
import threading

from asf.domain.clock import Clock
from asf.domain.streaming.audience import Audience, Demand
from asf.domain.streaming.audience_changes import AudienceChanges, AudienceEvent
from asf.domain.streaming.listener_counts import OnEvent

logger = logging.getLogger(__name__)


class InMemoryListenerCounts:
    """Knows the audience of this server only. What it remembers of events ends with the process."""

    def __init__(self, clock: Clock, changes: AudienceChanges | None = None) -> None:
        self._clock = clock
        self._changes = AudienceChanges() if changes is None else changes
        self._audience: Audience | None = None
        self._on_event: OnEvent | None = None
        # Streams whose count has changed since `run` has looked at it.
        self._changed: dict[str, None] = {}
        self._wake = threading.Event()
        self._closed = False

    def connect(self, audience: Audience, on_event: OnEvent | None) -> None:
        """Count the listeners of `audience`."""
        self._audience = audience
        self._on_event = on_event
        if on_event is not None:
            audience.on_change.connect(self._note)

    def demand(self, stream_id: str, epoch: str) -> Demand:
        """Return what the listeners of the stream need of the audio of that epoch. May yield."""
        assert self._audience is not None  # noqa: S101 - it is connected
        needs = self._audience.needs(stream_id)
        return Demand.of(self._audience.count(stream_id), needs, epoch)

    def run(self) -> None:
        """Call `on_event` with what happens, until `close`."""
        while not self._closed:
            self._wake.clear()
            self.look()
            next_time = self._changes.next_time
            self._wake.wait(None if next_time is None else max(0.0, next_time - self._clock.now()))

    def look(self) -> None:
        """Call `on_event` with what has happened by now."""
        while self._changed:
            stream_id = next(iter(self._changed))
            del self._changed[stream_id]
            assert self._audience is not None  # noqa: S101 - it has called `_note`
            event = self._changes.update(stream_id, self._audience.count(stream_id), self._clock.now())
            if event is not None:
                self._report(event, stream_id)
        while (left := self._changes.take_due(self._clock.now())) is not None:
            self._report(AudienceEvent.LAST_LISTENER_LEFT, left)

    def close(self) -> None:
        """Make `run` return."""
        self._closed = True
        self._wake.set()

    def _note(self, stream_id: str) -> None:
        self._changed[stream_id] = None
        self._wake.set()

    def _report(self, event: AudienceEvent, stream_id: str) -> None:
        if self._on_event is None:
            return
        try:
            self._on_event(event, stream_id)
        except Exception:
            logger.exception("Reporting %s of stream %r failed", event, stream_id)
