"""What happens to a listener, as values that each transport words in its own way (docs/contract.md, section 3)."""

from dataclasses import dataclass

from asf.domain.errors import AsfError


@dataclass(frozen=True, slots=True)
class Joined:
    """The listener's session on the stream has begun."""

    stream_id: str


@dataclass(frozen=True, slots=True)
class StartOfStream:
    """Audio follows, from byte `offset` on, in chunks of at most `chunk_bytes`.

    `total_bytes` is the length of the whole audio; `timestamp` is in seconds since the Unix epoch.
    """

    stream_id: str
    timestamp: float
    offset: int
    total_bytes: int
    chunk_bytes: int
    content_type: str


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """All audio has been sent. `timestamp` is in seconds since the Unix epoch."""

    stream_id: str
    timestamp: float
    total_bytes: int


@dataclass(frozen=True, slots=True)
class StreamFailed:
    """The session ends early, for the reason in `error`; `offset` is the first byte that was not sent."""

    stream_id: str
    error: AsfError
    offset: int


ListenerEvent = Joined | StartOfStream | EndOfStream | StreamFailed
