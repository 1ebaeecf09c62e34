"""The events that webhooks report."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class EventType(StrEnum):
    """The types of events, as in the contract."""

    FIRST_LISTENER = "stream.first_listener"
    LAST_LISTENER_LEFT = "stream.last_listener_left"
    ENDED = "stream.ended"


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """Something that has happened to a stream at `timestamp`, in seconds since the Unix epoch.

    `epoch` is that of its audio, or None while it is not announced. `details` are further fields of the event's data.
    """

    type: EventType
    stream_id: str
    epoch: str | None
    timestamp: float
    details: Mapping[str, Any]


class EventReporter(Protocol):
    """Reports events to whom they concern."""

    def report(self, event: StreamEvent) -> None:
        """Report the event soon. Does not wait, and raises nothing: an event that cannot be reported is counted."""
        ...


class DeliveryObserver(Protocol):
    """Observes the delivery of events, for metrics."""

    def event_delivered(self, outcome: str) -> None:
        """Record what has become final of an event: `sent`, `failed` after all attempts, or `dropped` unsent."""
        ...
