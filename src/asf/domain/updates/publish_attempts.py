"""Publish attempts: the outcome of the local delivery of an update, for its publisher."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from asf.domain.errors import UiEmitFailed
from asf.domain.updates.update import Position, SequencedUpdate


@dataclass(frozen=True, slots=True)
class FailedDeliveries:
    """The update at `position` did not reach `failed` of the `subscribers` here, some of them because of `errors`."""

    position: Position
    subscribers: int
    failed: int
    errors: tuple[UiEmitFailed, ...]


@dataclass(slots=True, eq=False)
class Attempt:
    """One call of `publish`, and the failed deliveries of its client's updates since it started."""

    failed_deliveries: list[FailedDeliveries] = field(default_factory=list)

    def failed(self, update: SequencedUpdate) -> int:
        """Return to how many connections here the update was not delivered."""
        return sum(one.failed for one in self._of(update))

    def check(self, update: SequencedUpdate) -> None:
        """Raise `UiEmitFailed` if a transport failed to send the update."""
        found = self._of(update)
        errors = [error for one in found for error in one.errors]
        if errors:
            raise UiEmitFailed(f"{len(errors)} of {found[0].subscribers} connections: {errors[0].details}")

    def _of(self, update: SequencedUpdate) -> list[FailedDeliveries]:
        position = Position(update.epoch, update.seq)
        return [one for one in self.failed_deliveries if one.position == position]


class Attempts:
    """The attempts to publish that are under way.

    A shared log may broadcast an update before the publisher knows its position. Then the publisher finds the outcome
    of that delivery here, and answers as if it had delivered the update itself.
    """

    def __init__(self) -> None:
        self._by_client: dict[str, list[Attempt]] = {}

    @contextmanager
    def start(self, client_id: str) -> Iterator[Attempt]:
        """Yield an attempt to publish an update of the client. It records failed deliveries until the block ends."""
        attempt = Attempt()
        self._by_client.setdefault(client_id, []).append(attempt)
        try:
            yield attempt
        finally:
            attempts = self._by_client[client_id]
            attempts.remove(attempt)
            if not attempts:
                del self._by_client[client_id]

    def record(self, update: SequencedUpdate, subscribers: int, failed: int, errors: list[UiEmitFailed]) -> None:
        """Record that an update was not delivered to some connections, for all attempts of its client."""
        failed_deliveries = FailedDeliveries(Position(update.epoch, update.seq), subscribers, failed, tuple(errors))
        for attempt in self._by_client.get(update.client_id, ()):
            attempt.failed_deliveries.append(failed_deliveries)
