"""What a publisher learns of the local delivery of its update."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from asf.domain.errors import UiEmitFailed
from asf.domain.updates.update import Position, SequencedUpdate


@dataclass(frozen=True, slots=True)
class Refusals:
    """`refused` of the `subscribers` here did not take an update, some because of `failures`."""

    position: Position
    subscribers: int
    refused: int
    failures: tuple[UiEmitFailed, ...]


@dataclass(slots=True, eq=False)
class Attempt:
    """One call of `publish`, and all refusals of updates of its client since its start."""

    refusals: list[Refusals] = field(default_factory=list)

    def refused(self, update: SequencedUpdate) -> int:
        """Return how many connections here did not take the update."""
        return sum(one.refused for one in self._of(update))

    def check(self, update: SequencedUpdate) -> None:
        """Raise `UiEmitFailed` if a transport failed to take the update."""
        found = self._of(update)
        failures = [failure for one in found for failure in one.failures]
        if failures:
            raise UiEmitFailed(f"{len(failures)} of {found[0].subscribers} connections: {failures[0].details}")

    def _of(self, update: SequencedUpdate) -> list[Refusals]:
        position = Position(update.epoch, update.seq)
        return [one for one in self.refusals if one.position == position]


class Attempts:
    """The attempts to publish that are under way.

    A shared log may broadcast an update before the publisher knows its position. Then the publisher finds here how
    that delivery went, and answers as it does when it delivers the update itself.
    """

    def __init__(self) -> None:
        self._by_client: dict[str, list[Attempt]] = {}

    @contextmanager
    def start(self, client_id: str) -> Iterator[Attempt]:
        """Yield an attempt to publish an update of the client, which records refusals until the end of the block."""
        attempt = Attempt()
        self._by_client.setdefault(client_id, []).append(attempt)
        try:
            yield attempt
        finally:
            attempts = self._by_client[client_id]
            attempts.remove(attempt)
            if not attempts:
                del self._by_client[client_id]

    def record(self, update: SequencedUpdate, subscribers: int, refused: int, failures: list[UiEmitFailed]) -> None:
        """Record that connections did not take an update, for all attempts of its client."""
        refusals = Refusals(Position(update.epoch, update.seq), subscribers, refused, tuple(failures))
        for attempt in self._by_client.get(update.client_id, ()):
            attempt.refusals.append(refusals)
