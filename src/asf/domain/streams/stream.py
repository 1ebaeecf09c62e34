"""Announced audio: what the catalog knows about a stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from asf.domain.errors import InvalidStreamId
from asf.domain.identifiers import identifier_problem


@dataclass(frozen=True, slots=True)
class FileLocator:
    """A file below one of the audio roots, as an absolute path. It need not exist yet."""

    kind: ClassVar = "file"
    is_local: ClassVar = True
    may_grow: ClassVar = True
    has_end_marker: ClassVar = False

    path: str

    @property
    def text(self) -> str:
        """The path."""
        return self.path


@dataclass(frozen=True, slots=True)
class ObjectLocator:
    """An object in an object store, as a URL such as `s3://bucket/key`. It need not exist yet."""

    kind: ClassVar = "object"
    is_local: ClassVar = False
    may_grow: ClassVar = False
    has_end_marker: ClassVar = False

    url: str

    @property
    def text(self) -> str:
        """The URL."""
        return self.url


QUEUE_PREFIX = "queue:"


@dataclass(frozen=True, slots=True)
class QueueLocator:
    """A queue to which audio is appended while it is generated, then an end marker. It need not exist yet."""

    kind: ClassVar = "queue"
    is_local: ClassVar = False
    may_grow: ClassVar = True
    has_end_marker: ClassVar = True

    name: str

    @property
    def text(self) -> str:
        """The name, after the prefix `queue:`."""
        return QUEUE_PREFIX + self.name


UPLOAD_PREFIX = "upload:"


@dataclass(frozen=True, slots=True)
class UploadLocator:
    """Audio that a backend uploads, in the server's own upload directory. `name` is its name there."""

    kind: ClassVar = "upload"
    is_local: ClassVar = True
    may_grow: ClassVar = True
    has_end_marker: ClassVar = False

    name: str

    @property
    def text(self) -> str:
        """The name, after the prefix `upload:`."""
        return UPLOAD_PREFIX + self.name


Locator = FileLocator | ObjectLocator | QueueLocator | UploadLocator
"""Where the audio of a stream is.

`text` is how it is announced and shown; `locator_of` restores a locator from `kind` and `text`. Audio that `may_grow`
can be announced while it is generated. `has_end_marker`: audio whose source marks its own end, complete or failed. It
grows until then; announcing it as complete does not end it. Opening audio that is not `is_local` waits for another
machine, possibly for long; a file may be on a file system of another machine all the same.
"""


def locator_of(kind: str, text: str) -> Locator:
    """Return the locator with this `kind` and `text`. Raises ValueError for an unknown kind."""
    match kind:
        case FileLocator.kind:
            return FileLocator(text)
        case ObjectLocator.kind:
            return ObjectLocator(text)
        case QueueLocator.kind:
            return QueueLocator(text.removeprefix(QUEUE_PREFIX))
        case UploadLocator.kind:
            return UploadLocator(text.removeprefix(UPLOAD_PREFIX))
        case _:
            raise ValueError(f"unknown kind of locator '{kind}'")


class StreamState(StrEnum):
    """State of the generation of a stream's audio."""

    GENERATING = "generating"
    """The audio is still growing."""
    COMPLETE = "complete"
    FAILED = "failed"
    """Generation ended early: the audio will not grow any further."""


@dataclass(frozen=True, slots=True)
class AudioEnding:
    """How audio with an end marker ended: `COMPLETE`, or `FAILED` with a `reason`, if one was given."""

    state: StreamState
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class AudioStream:
    """One stream: its id, the locator of its audio, and the state of its generation.

    `epoch` identifies the audio. It changes when the audio is regenerated; offsets are comparable only within one
    epoch. `content_type` is None if the audio's name or content determines it. `metadata` comes from the backend, as
    does `reason`, which says why a stream failed. `announced_at` is the time of the latest announcement, in seconds
    since the Unix epoch. It is later than that of the value which this one has replaced, and so tells which is older.

    Raises `InvalidStreamId` for an id that violates the rules for identifiers.
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
        # Without `stream_id_problem`'s further rule: a catalog of an earlier version may hold ids that violate it.
        if problem := identifier_problem(self.stream_id):
            raise InvalidStreamId(problem)
