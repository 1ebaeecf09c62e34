"""The entries of the list of sessions: listeners, subscribers and uploads."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from asf.domain.operations.ports import Json
from asf.domain.peer import Peer


class Kind(StrEnum):
    """What an entry is, in the order of the list."""

    LISTENER = "listener"
    SUBSCRIBER = "subscriber"
    UPLOAD = "upload"


class Wait(StrEnum):
    """What an entry waits for before more is sent or taken."""

    LOOK_UP = "look_up"
    """The stream is being looked up, or its audio opened."""
    ANNOUNCEMENT = "announcement"
    """The stream is not announced yet."""
    RESUME = "resume"
    """The listener has paused."""
    CLIENT = "client"
    """The client does not read: back-pressure."""
    ACKNOWLEDGEMENT = "acknowledgement"
    """The client's window is full."""
    GROWTH = "growth"
    """The client has all audio that exists, and more is being generated."""
    STORAGE = "storage"
    """The audio is being fetched from where it is stored."""
    REPLAY = "replay"
    """Earlier updates are being read from the log."""


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """One listener, subscription or upload. What does not apply to it, or is unknown, is None.

    `id` is that of the log lines, and `since` when it started (seconds since the Unix epoch). `bytes` is how much
    audio was sent to a listener, or taken from an upload. `offset` is the next byte of the audio. `behind_bytes` is
    how much audio exists that was not sent yet, and `ahead_seconds` how long what was sent plays beyond what can have
    been heard. `blocked` says that the client does not read what is sent to it, `silent_seconds` for how long.
    """

    id: str
    kind: Kind
    node: str
    since: float
    state: str
    stream_id: str | None = None
    client_id: str | None = None
    peer: Peer | None = None
    epoch: str | None = None
    offset: int | None = None
    bytes: int | None = None
    behind_bytes: int | None = None
    ahead_seconds: float | None = None
    blocked: bool = False
    waits_for: Wait | None = None
    silent_seconds: float | None = None

    def as_json(self) -> Json:
        """Return it as a JSON object, with the fields of `peer` as its own."""
        entry = {name: getattr(self, name) for name in ENTRY_FIELDS}
        return entry | {name: getattr(self.peer, name, None) for name in PEER_FIELDS}


PEER_FIELDS = tuple(field.name for field in fields(Peer))
ENTRY_FIELDS = tuple(field.name for field in fields(SessionEntry) if field.name != "peer")


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which entries are wanted: those that have all of these properties; None: any."""

    kind: Kind | None = None
    stream_id: str | None = None
    client_id: str | None = None
    address: str | None = None

    def as_json(self) -> Json:
        """Return it as a JSON object."""
        return {name: getattr(self, name) for name in FILTER_FIELDS}

    @classmethod
    def of_json(cls, question: Mapping[str, Any]) -> "SessionFilter":
        """Return the filter that `as_json` has written."""
        values = {name: question.get(name) for name in FILTER_FIELDS}
        kind = values.pop("kind")
        return cls(None if kind is None else Kind(kind), **values)


FILTER_FIELDS = tuple(field.name for field in fields(SessionFilter))


class InvalidCursor(ValueError):
    """The text is no cursor."""


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """The place of an entry in the list: the entries of a node follow each other, by kind and number.

    Numbers only grow, so it stays valid while sessions start and end.
    """

    node: str
    kind: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Return the cursor that `str` has written. Raises `InvalidCursor`."""
        node, *rest = text.split(":")
        match rest:
            case [kind, number] if (
                kind in {*Kind} and number.isascii() and number.isdigit() and len(number) <= DIGITS
            ):
                return cls(node, list(Kind).index(Kind(kind)), int(number))
        raise InvalidCursor(text)

    def __str__(self) -> str:
        return f"{self.node}:{list(Kind)[self.kind]}:{self.number}"

    @classmethod
    def of_entry(cls, entry: Mapping[str, Any]) -> "Cursor":
        """Return the place of an entry, given as JSON."""
        return cls(entry["node"], list(Kind).index(entry["kind"]), number_of(entry["id"]))


DIGITS = 18
"""Maximum digits of a number in a cursor."""


def number_of(entry_id: str) -> int:
    """Return the number in the id of an entry."""
    return int(entry_id.rpartition(".")[2])
