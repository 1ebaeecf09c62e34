"""Announced audio: what the catalog knows about a stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from asf.domain.errors import InvalidStreamId
from asf.domain.identifiers import stream_id_problem


@dataclass(frozen=True, slots=True)
class FileLocator:
    """A file below one of the audio roots, as an absolute path. The file need not exist yet."""

    kind: ClassVar = "file"
    may_grow: ClassVar = True
    tells_its_end: ClassVar = False

    path: str

    @property
    def text(self) -> str:
        """The path."""
        return self.path


@dataclass(frozen=True, slots=True)
class ObjectLocator:
    """An object in an object store, as a URL such as `s3://bucket/key`. It need not exist yet."""

    kind: ClassVar = "object"
    may_grow: ClassVar = False
    tells_its_end: ClassVar = False

    url: str

    @property
    def text(self) -> str:
        """The URL."""
        return self.url


QUEUE_PREFIX = "queue:"


@dataclass(frozen=True, slots=True)
class QueueLocator:
    """A queue that audio is put into as it is made, and in the end, that this was all. It need not exist yet."""

    kind: ClassVar = "queue"
    may_grow: ClassVar = True
    tells_its_end: ClassVar = True

    name: str

    @property
    def text(self) -> str:
        """The name behind `queue:`."""
        return QUEUE_PREFIX + self.name


Locator = FileLocator | ObjectLocator | QueueLocator
"""Where the audio of a stream is to be found.

`text` is what it is announced and shown as, and with `kind` all that `locator_of` needs. Audio that `may_grow` can be
announced while it is being made. One that `tells_its_end` grows until it says itself that it is whole, or has failed;
an announcement that it is complete ends nothing.
"""


def locator_of(kind: str, text: str) -> Locator:
    """Return the locator that has this `kind` and `text`. Raises `ValueError` for a kind that is not known."""
    match kind:
        case FileLocator.kind:
            return FileLocator(text)
        case ObjectLocator.kind:
            return ObjectLocator(text)
        case QueueLocator.kind:
            return QueueLocator(text.removeprefix(QUEUE_PREFIX))
        case _:
            raise ValueError(f"unknown kind of locator '{kind}'")


class StreamState(StrEnum):
    """How far the making of a stream's audio is."""

    GENERATING = "generating"
    """It is still growing."""
    COMPLETE = "complete"
    FAILED = "failed"
    """It ended early: what was written is all there will be."""


@dataclass(frozen=True, slots=True)
class AudioEnding:
    """How an audio that tells its own end has ended: `COMPLETE`, or `FAILED` for a `reason`, where one was given."""

    state: StreamState
    reason: str | None = None


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
