"""Announced audio: what the catalog knows about a stream."""

from dataclasses import dataclass

from asf.domain.errors import InvalidStreamId
from asf.domain.rules import stream_id_problem


@dataclass(frozen=True, slots=True)
class FileLocator:
    """A file below one of the audio roots, as an absolute path. The file need not exist yet."""

    path: str


Locator = FileLocator
"""Where the audio of a stream is to be found."""


@dataclass(frozen=True, slots=True)
class AudioStream:
    """One stream: its id and where its audio is.

    Raises `InvalidStreamId` for an id that breaks the rules.
    """

    stream_id: str
    locator: Locator

    def __post_init__(self) -> None:
        if problem := stream_id_problem(self.stream_id):
            raise InvalidStreamId(problem)
