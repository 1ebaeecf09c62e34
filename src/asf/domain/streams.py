"""Announced audio: what the catalog knows about a stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from asf.domain.errors import InvalidStreamId
from asf.domain.rules import stream_id_problem


@dataclass(frozen=True, slots=True)
class FileLocator:
    """A file below one of the audio roots, as an absolute path. The file need not exist yet."""

    path: str


Locator = FileLocator
"""Where the audio of a stream is to be found."""


class StreamState(StrEnum):
    """How far the making of a stream's audio is."""

    GENERATING = "generating"
    """It is still growing."""
    COMPLETE = "complete"
    FAILED = "failed"
    """It ended early: what was written is all there will be."""


@dataclass(frozen=True, slots=True)
class AudioStream:
    """One stream: its id, where its audio is, and how far the making of it is.

    `epoch` names one making of the audio: two offsets are comparable if their epochs are equal. `content_type` is
    None where the audio's name or content is to tell; `metadata` is the announcer's own, as is `reason`, which says
    why a stream has failed. `announced_at` is when it was announced last, in seconds since the Unix epoch.

    Raises `InvalidStreamId` for an id that breaks the rules.
    """

    stream_id: str
    locator: Locator
    state: StreamState = StreamState.COMPLETE
    epoch: str = ""
    content_type: str | None = None
    metadata: Mapping[str, Any] | None = None
    reason: str | None = None
    announced_at: float = 0.0

    def __post_init__(self) -> None:
        if problem := stream_id_problem(self.stream_id):
            raise InvalidStreamId(problem)
