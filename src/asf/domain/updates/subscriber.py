"""One connection that wants the updates of one client: where it is among them, and what waits for its turn."""

from collections import deque
from dataclasses import dataclass, field

from asf.domain.updates.update import EVERYTHING, Position, SequencedUpdate

MAX_HELD_UPDATES = 1000
MAX_HELD_BYTES = 1024 * 1024
"""What may be held back for a connection while the log is asked what goes before: as much as may wait to go out."""


@dataclass(slots=True, eq=False)
class Subscriber:
    """A subscription of a connection to a client; `with_position` if each update is to come with its place.

    `delivered` is the place of the latest update that it was handed. While `held` is a queue, updates wait there for
    those that go before them; then the log is being asked. A subscription begins like that.
    """

    connection_id: str
    client_id: str
    with_position: bool
    delivered: Position = EVERYTHING
    held: deque[SequencedUpdate] | None = field(default_factory=deque)
    held_bytes: int = 0
    must_look: bool = False
    """Whether updates may have been left out while the log was asked."""
    is_followed: bool = False
    """Whether the log was told of it."""
    has_ended: bool = False

    @property
    def holds_back(self) -> bool:
        """Whether updates have to wait."""
        return self.held is not None

    def hold_back(self) -> None:
        """Let updates wait from now on, until `release`."""
        if self.held is None:
            self.held = deque()

    def hold(self, update: SequencedUpdate) -> bool:
        """Keep an update until its turn; tell whether it is not too much."""
        held = self.held = deque() if self.held is None else self.held
        held.append(update)
        self.held_bytes += len(update.data_json)
        return len(held) <= MAX_HELD_UPDATES and self.held_bytes <= MAX_HELD_BYTES

    def release(self) -> None:
        """Hold nothing back any more."""
        self.held = None
        self.held_bytes = 0

    def has(self, update: SequencedUpdate) -> bool:
        """Tell whether it was handed this update before."""
        return update.epoch == self.delivered.epoch and update.seq <= self.delivered.seq

    def is_next(self, update: SequencedUpdate) -> bool:
        """Tell whether nothing is missing between the latest update that it was handed and this one."""
        return update.epoch == self.delivered.epoch and update.seq == self.delivered.seq + 1
