"""UI updates: a backend's progress events, relayed to the subscribers of one client."""

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from asf.domain.errors import InvalidClientId, InvalidEventName, InvalidIdempotencyKey
from asf.domain.identifiers import client_id_problem, event_name_problem, idempotency_key_problem

_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class UiUpdate:
    """One event for one client. `data` is any JSON value, including null; `data_json` is its JSON text.

    `idempotency_key`, if given, is the same for every attempt to send the same update.

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
        object.__setattr__(self, "data_json", _encode(self.data))


@dataclass(frozen=True, slots=True)
class Position:
    """A position in the updates of one client: after update number `seq` of the epoch."""

    epoch: str
    seq: int


EVERYTHING = Position("", 0)
"""The position before all stored updates, in any epoch (docs/contract.md, section 4)."""


@dataclass(frozen=True, slots=True)
class SequencedUpdate:
    """An update with its position: number `seq`, from 1, of the epoch. `timestamp` is in seconds since 1970."""

    client_id: str
    event_name: str
    data_json: str
    epoch: str
    seq: int
    timestamp: float


@dataclass(frozen=True, slots=True)
class AppendResult:
    """An update in the log. For a `duplicate`, `update` has the position and the timestamp of the original.

    `subscribers` is how many subscribers the client has now, on all servers. If `is_broadcast`, the log also passes
    the update to `on_appended` (see `UpdateLog`); otherwise only the caller has it.
    """

    update: SequencedUpdate
    duplicate: bool
    subscribers: int
    is_broadcast: bool = False


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a returning subscriber missed: all `updates` after its position, or none if not `recovered`.

    `latest` is the position of the client's latest update.
    """

    latest: Position
    recovered: bool
    updates: tuple[SequencedUpdate, ...]


@dataclass(frozen=True, slots=True)
class Subscription:
    """Confirms a subscription: the position of the latest update, and the updates that the subscriber `missed`.

    `recovered` is None for a subscriber that did not ask for earlier updates.
    """

    client_id: str
    latest: Position
    recovered: bool | None
    missed: tuple[SequencedUpdate, ...] = ()


class Handover(Enum):
    """The outcome of handing something to the transport of one connection."""

    TAKEN = "taken"
    FILLING = "filling"
    """Taken, but much waits for the client by now: it should read before more is sent."""
    GONE = "gone"
    """The connection is closed."""
    TOO_SLOW = "too slow"
    """The client did not read, and the connection was closed."""
