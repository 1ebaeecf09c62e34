"""What a backend says and what ASF answers, typed. Times are in seconds since the Unix epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from asf.client.errors import ServerUnreachable

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Answer = TypeVar("Answer", bound=DataclassInstance)

State = Literal["generating", "complete", "failed"]
"""How far the making of a stream's audio is."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A stream as ASF knows it now. `epoch` names this making of its audio."""

    stream_id: str
    state: State
    epoch: str


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of the catalog. `filepath` is a path on ASF's machine, `announced_at` when it was announced last."""

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
    """An event for one client, with any JSON value as its data. Without an `idempotency_key` a random one is sent."""

    client_id: str
    event_name: str
    data: Any
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a UI update.

    `epoch` and `seq` are its place among the updates of its client. `subscribers` is how many connections there were
    to hand it to; where that is 0 it is kept for recovery only. `duplicate` tells that ASF had it already: by an
    earlier call with the same key, or by an attempt of this one whose answer was lost.
    """

    seq: int
    epoch: str
    subscribers: int
    duplicate: bool


def read_answer(kind: "type[Answer]", answer: Mapping[str, Any]) -> "Answer":
    """Return the fields of `answer` that `kind` has. Raises `ServerUnreachable` where one is missing."""
    return kind(**{field.name: read_field(answer, field.name) for field in fields(kind)})


def read_field(answer: Mapping[str, Any], name: str) -> Any:
    """Return one field. Raises `ServerUnreachable` where it is missing."""
    try:
        return answer[name]
    except KeyError:
        raise ServerUnreachable(f"The answer is not as ASF's are: it has no '{name}'.", temporary=False) from None
