"""What is needed from outside to count listeners on all nodes."""

from collections.abc import Callable
from typing import Protocol

from asf.domain.streaming.audience import Audience, Demand
from asf.domain.streaming.audience_changes import AudienceEvent

OnEvent = Callable[[AudienceEvent, str], object]
"""Called with what has happened, and the id of the stream."""


class ListenerCounts(Protocol):
    """Counts the listeners of each stream on all nodes, and finds out when a stream gets its first or loses its last.

    Events are decided as by `AudienceChanges`, from the counts of all nodes together.
    """

    def connect(self, audience: Audience, on_event: OnEvent | None) -> None:
        """Count the listeners of this node's `audience`. Call it once, before all other methods.

        Each event is reported to `on_event` on one of the nodes, in the task of `run`. Without it there are none.
        """
        ...

    def demand(self, stream_id: str, epoch: str) -> Demand:
        """Return what the listeners of the stream on all nodes need of the audio of that epoch.

        Those of other nodes count as they were at that node's latest heartbeat. May yield. Raises
        `CatalogUnavailable`.
        """
        ...

    def run(self) -> None:
        """Share the counts of this node with the others, and report events, until `close`."""
        ...

    def close(self) -> None:
        """Make `run` return soon, and count the listeners of this node no longer. May yield. Raises nothing."""
        ...
