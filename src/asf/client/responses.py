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


def read_response(kind: "type[Response]", body: Mapping[str, Any]) -> "Response":
    """Return the fields of `body` that `kind` has. Raises `ServerUnreachable` if one is missing."""
    return kind(**{field.name: read_field(body, field.name) for field in fields(kind)})


def read_field(body: Mapping[str, Any], name: str) -> Any:
    """Return one field. Raises `ServerUnreachable` if it is missing."""
    try:
        return body[name]
    except KeyError:
        raise ServerUnreachable(f"This is not a response of ASF: '{name}' is missing.", temporary=False) from None
