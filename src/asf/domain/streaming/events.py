"""The events of a session, as values that each transport encodes in its own way (docs/contract.md, section 3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from asf.domain.errors import AsfError
from asf.domain.streams.stream import StreamState


class SessionStatus(StrEnum):
    """The statuses of a session, as in the contract."""

    JOINED = "joined"
    WAITING = "waiting"
    PAUSED = "paused"
    RESUMED = "resumed"
    STALLED = "stalled"
    LEFT = "left"
    SERVER_DRAINING = "server_draining"


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """The status of the session on the stream has changed.

    `offset`, if given, is that of the first byte that has not been sent.
    """

    stream_id: str
    status: SessionStatus
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class StartOfStream:
    """Audio follows from byte `offset` on, in chunks of at most `chunk_bytes`.

    `total_bytes` is the size of the complete audio, or None while it is unknown. `timestamp` is in seconds since the
    Unix epoch.
    """

    stream_id: str
    timestamp: float
    offset: int
    total_bytes: int | None
    chunk_bytes: int
    content_type: str
    epoch: str
    state: StreamState
    metadata: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class SimulatedChunk:
    """Text that the simulation stream sends instead of audio."""

    text: str


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """All audio has been sent. `timestamp` is in seconds since the Unix epoch."""

    stream_id: str
    timestamp: float
    total_bytes: int


@dataclass(frozen=True, slots=True)
class StreamFailed:
    """The session ends early because of `error`; `offset` is that of the first byte that was not sent."""

    stream_id: str
    error: AsfError
    offset: int


ListenerEvent = StatusChanged | StartOfStream | SimulatedChunk | EndOfStream | StreamFailed
