"""Batches: the units in which audio is read, cached and sent."""

from dataclasses import dataclass
from itertools import pairwise

UNKNOWN_CONTENT_TYPE = "application/octet-stream"
"""The media type of audio whose name and first bytes do not show it."""

SNIFFED_BYTES = 1024
"""How many of the first bytes are enough to tell the media type, where they tell it at all."""


@dataclass(eq=False, slots=True, weakref_slot=True)
class AudioBatch:
    """Consecutive whole chunks of audio, shared by all sessions to which they are due.

    `offset` is the offset in the audio of the first byte of `data`, `chunk_bytes` the size of its chunks (the last
    one of the audio may be shorter). A batch is equal only to itself, so that emitters can cache what they derive
    from it, such as frames.
    """

    offset: int
    data: bytes
    chunk_bytes: int

    @property
    def end(self) -> int:
        """Offset of the first byte after the batch."""
        return self.offset + len(self.data)

    def chunks(self, start: int, stop: int) -> list[bytes]:
        """Return the bytes from `start` to `stop` (offsets in the audio), cut at the chunks' boundaries."""
        cuts = [start, *range(self._next_boundary(start), stop, self.chunk_bytes), stop]
        return [self.data[left - self.offset : right - self.offset] for left, right in pairwise(cuts)]

    def _next_boundary(self, offset: int) -> int:
        return (offset // self.chunk_bytes + 1) * self.chunk_bytes
