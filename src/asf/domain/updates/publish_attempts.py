"""Publish attempts: the outcome of the local delivery of an update, for its publisher."""

from dataclasses import dataclass

from asf.domain.errors import UiEmitFailed
from asf.domain.updates.update import Position, SequencedUpdate


@dataclass(frozen=True, slots=True)
class FailedDeliveries:
    """The update at `position` did not reach `failed` of the `subscribers` here, some of them because of `errors`."""

    position: Position
    subscribers: int
    failed: int
    errors: tuple[UiEmitFailed, ...]


class Attempt:
    """One call of `publish`, and the failed deliveries of its client's updates since it started."""

    __slots__ = ("client_id", "failed_deliveries")

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        self.failed_deliveries: list[FailedDeliveries] = []

    def check(self, update: SequencedUpdate) -> int:
        """Return to how many connections here the update was not delivered, as they have ended or do not read.

        Raises `UiEmitFailed` if a transport failed to send it.
        """
        if not self.failed_deliveries:
            return 0
        position = Position(update.epoch, update.seq)
        found = [one for one in self.failed_deliveries if one.position == position]
        errors = [error for one in found for error in one.errors]
        if errors:
            raise UiEmitFailed(f"{len(errors)} of {found[0].subscribers} connections: {errors[0].details}")
        return sum(one.failed for one in found)


class Attempts:
    """The attempts to publish that are under way.

    A shared log may broadcast an update before the publisher knows its position. Then the publisher finds the outcome
    of that delivery here, and answers as if it had delivered the update itself.
    """

    def __init__(self) -> None:
        self._open: dict[Attempt, None] = {}

    def start(self, client_id: str) -> Attempt:
        """Return an attempt to publish an update of the client. It records failed deliveries until `finish`."""
        attempt = Attempt(client_id)
        self._open[attempt] = None
        return attempt

    def finish(self, attempt: Attempt) -> None:
        """End an attempt that was started."""
        del self._open[attempt]

    def record(self, update: SequencedUpdate, subscribers: int, failed: int, errors: list[UiEmitFailed]) -> None:
        """Record that an update was not delivered to some connections, for all attempts of its client."""
        failed_deliveries = FailedDeliveries(Position(update.epoch, update.seq), subscribers, failed, tuple(errors))
        for attempt in self._open:
            if attempt.client_id == update.client_id:
                attempt.failed_deliveries.append(failed_deliveries)
