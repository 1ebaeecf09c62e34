"""Typed requests and responses of the internal API. Times are in seconds since the Unix epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from asf.client.errors import ServerUnreachable

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Response = TypeVar("Response", bound=DataclassInstance)

State = Literal["generating", "complete", "failed"]
"""State of a stream's audio."""


@dataclass(frozen=True, slots=True)
class Announced:
    """State of a stream after an announcement. `epoch` identifies this version of its audio."""

    stream_id: str
    state: State
    epoch: str


@dataclass(frozen=True, slots=True)
class Uploaded:
    """State of an upload: the server has the first `offset` bytes of the audio of `epoch`."""

    stream_id: str
    state: State
    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of the catalog.

    `filepath` is a path on the server, `announced_at` the time of the last announcement.
    """

    stream_id: str
    state: State
    epoch: str
    filepath: str
    content_type: str | None
    metadata: Mapping[str, Any] | None
    reason: str | None
    announced_at: float


@dataclass(frozen=True, slots=True)
class Demand:
    """Who listens to a stream, and how much of it they need.

    `needed_until` is the byte offset up to which a listener needs the audio of `epoch` now; None if nobody needs more
    than there is, because nobody listens to it or its generation has ended.
    """

    stream_id: str
    epoch: str
    listeners: int
    needed_until: int | None


@dataclass(frozen=True, slots=True)
class UiUpdate:
    """An event for one client; `data` is any JSON value. Without an `idempotency_key`, a random one is sent."""

    client_id: str
    event_name: str
    data: Any
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """Result of a UI update.

    `epoch` and `seq` are its position among the updates of its client. `subscribers` is the number of connections it
    was delivered to; with 0 it is kept for recovery only. `duplicate` is True if ASF already had it: from an earlier
    call with the same key, or from an attempt of this call whose response was lost.
    """

    seq: int
    epoch: str
    subscribers: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class CuesAdded:
    """Result of adding cues: how many were `accepted`, and how many the stream has in this `epoch`, in total."""

    accepted: int
    total: int
    epoch: str


def read_response(kind: "type[Response]", body: Mapping[str, Any]) -> "Response":
    """Return the fields of `body` that `kind` has. Raises `ServerUnreachable` if one is missing."""
    return kind(**{field.name: read_field(body, field.name) for field in fields(kind)})


def read_field(body: Mapping[str, Any], name: str) -> Any:
    """Return one field. Raises `ServerUnreachable` if it is missing."""
    try:
        return body[name]
    except KeyError:
        raise ServerUnreachable(f"This is not a response of ASF: '{name}' is missing.", temporary=False) from None
