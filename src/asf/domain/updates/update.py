"""UI updates: a backend's progress events, relayed to the one client that waits for them."""

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from asf.domain.errors import InvalidClientId, InvalidEventName, InvalidIdempotencyKey
from asf.domain.identifiers import client_id_problem, event_name_problem, idempotency_key_problem


@dataclass(frozen=True, slots=True)
class UiUpdate:
    """One event for one client. `data` is any JSON value, null included, and `data_json` the same as JSON text.

    `idempotency_key`, where there is one, is the same for every attempt to send the same update.

    Raises `InvalidClientId`, `InvalidEventName` or `InvalidIdempotencyKey`.
    """

    client_id: str
    event_name: str
    data: Any
    idempotency_key: str | None = None
    data_json: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if problem := client_id_problem(self.client_id):
            raise InvalidClientId(problem)
        if problem := event_name_problem(self.event_name):
            raise InvalidEventName(problem)
        if self.idempotency_key is not None and (problem := idempotency_key_problem(self.idempotency_key)):
            raise InvalidIdempotencyKey(problem)
        object.__setattr__(self, "data_json", json.dumps(self.data, separators=(",", ":")))


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the updates of one client: behind the one numbered `seq` of the epoch."""

    epoch: str
    seq: int


EVERYTHING = Position("", 0)
"""The place in front of all updates that are kept, whichever epoch they are of (docs/contract.md, section 4)."""


@dataclass(frozen=True, slots=True)
class SequencedUpdate:
    """An update in its place: the one numbered `seq`, from 1, of the epoch. `timestamp` is in seconds since 1970."""

    client_id: str
    event_name: str
    data_json: str
    epoch: str
    seq: int
    timestamp: float


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What became of an update that was to be kept: its place, which it had before if it is a `duplicate`.

    `subscribers` is how many connections it was handed to, over all servers; of a duplicate how many there are now.
    """

    update: SequencedUpdate
    duplicate: bool
    subscribers: int


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a returning subscriber is given: all `updates` behind its position, or nothing if not `recovered`.

    `latest` is the place of the latest update.
    """

    latest: Position
    recovered: bool
    updates: tuple[SequencedUpdate, ...]


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a subscriber is told: the place of the latest update, and the updates that it `missed`.

    `recovered` is None for one that did not ask for earlier updates.
    """

    client_id: str
    latest: Position
    recovered: bool | None
    missed: tuple[SequencedUpdate, ...] = ()


class Handover(Enum):
    """What became of something that was to be handed to one connection's transport."""

    TAKEN = "taken"
    GONE = "gone"
    """There is no such connection any more."""
    TOO_SLOW = "too slow"
    """The connection did not read, and has been broken off."""
