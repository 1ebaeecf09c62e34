"""One subscription of a connection: its position in the client's updates, and the updates held for it."""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from asf.domain.updates.limits import MAX_WAITING_BYTES, MAX_WAITING_UPDATES
from asf.domain.updates.update import EVERYTHING, Position, SequencedUpdate


class Pressure(Enum):
    """Whether publishers wait for the client of a connection to read."""

    NONE = "none"
    FILLING = "filling"
    """Much waits for it: publishers wait until it has read some."""
    GIVEN_UP = "given up"
    """As before, but it reads nothing, or not fast enough: nobody waits for it any longer."""


@dataclass(slots=True, eq=False)
class Subscriber:
    """A subscription of a connection to a client. With `with_position` each update is sent with its position.

    `delivered` is the position of the latest update that was handed to the connection. While `held` is a queue, a
    replay is under way or due, and new updates wait there for earlier ones. A subscription starts in this state.
    `number` is unique in the process, and `since` when it started (seconds of the clock).
    """

    connection_id: str
    client_id: str
    with_position: bool
    delivered: Position = EVERYTHING
    held: deque[SequencedUpdate] | None = field(default_factory=deque)
    held_bytes: int = 0
    must_replay: bool = False
    """Whether updates may have been lost during the replay, so that another one is needed."""
    is_followed: bool = False
    """Whether the log counts it."""
    has_ended: bool = False
    pressure: Pressure = Pressure.NONE
    number: int = 0
    since: float = 0.0

    @property
    def subscription_id(self) -> str:
        """The id for operators, unique in the process."""
        return f"{self.connection_id}.{self.number}"

    @property
    def holds_back(self) -> bool:
        """Whether new updates are held."""
        return self.held is not None

    def hold_back(self) -> None:
        """Hold new updates from now on, until `release`. Call it only while nothing is held back."""
        self.held = deque()

    def hold(self, update: SequencedUpdate) -> bool:
        """Queue an update behind the held ones. Returns whether the queue is still within its limits.

        An update is ignored if it, or a later one of its epoch, is the last one held: it is held too, or in the log.
        """
        held = self.held = deque() if self.held is None else self.held
        if held and held[-1].epoch == update.epoch and held[-1].seq >= update.seq:
            return True
        held.append(update)
        self.held_bytes += len(update.data_json)
        return len(held) <= MAX_WAITING_UPDATES and self.held_bytes <= MAX_WAITING_BYTES

    def release(self) -> None:
        """Stop holding updates; those still held are discarded."""
        self.held = None
        self.held_bytes = 0

    def has(self, update: SequencedUpdate) -> bool:
        """Return whether the update was handed over before."""
        return update.epoch == self.delivered.epoch and update.seq <= self.delivered.seq

    def is_next(self, update: SequencedUpdate) -> bool:
        """Return whether nothing is missing between the latest update that was handed over and this one."""
        return update.epoch == self.delivered.epoch and update.seq == self.delivered.seq + 1
