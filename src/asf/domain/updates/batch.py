"""Batches: updates that a publisher sends together."""

from collections.abc import Callable
from dataclasses import dataclass

from asf.domain.updates.readers import Readers
from asf.domain.updates.update import UiUpdate

LONGEST_WAIT_SECONDS = 6.0
"""Longest time for which one batch waits for subscribers to read: shorter than the timeouts of HTTP clients."""


@dataclass(frozen=True, slots=True)
class Published:
    """The answer to a publisher: the position of the update; for a `duplicate`, of the original.

    `subscribers` is how many connections the update was handed to; with a shared log, or for a duplicate, how many
    are subscribed.
    """

    epoch: str
    seq: int
    subscribers: int
    duplicate: bool


class Batch:
    """Publishes many updates in a row, no faster than the subscribers read that are connected here.

    Waits at most `LONGEST_WAIT_SECONDS` for them in total. A subscriber that is slower may exceed its limits, as one
    that does not read, and its connection is closed: its client recovers.
    """

    def __init__(self, publish: Callable[[UiUpdate], Published], readers: Readers) -> None:
        self._publish = publish
        self._readers = readers
        self._waited = 0.0

    def publish(self, update: UiUpdate) -> Published:
        """Do as `UiUpdateRouter.publish`, then wait for subscribers."""
        published = self._publish(update)
        self._waited += self._readers.wait(update.client_id, LONGEST_WAIT_SECONDS - self._waited)
        return published
