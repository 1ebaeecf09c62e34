"""Pieces of audio, as they travel from a source to the listeners."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(eq=False, slots=True)
class AudioBatch:
    """A run of whole chunks of one audio, shared by all listeners that are due it.

    `offset` is the place of `data` in the audio, `chunk_bytes` the size of its chunks (the last one of the audio
    may be shorter). In `renderings` an emitter keeps what it made of the batch, under a key of its own, so that a
    thousand listeners share one rendering.
    """

    offset: int
    data: bytes
    chunk_bytes: int
    renderings: dict[Hashable, bytes] = field(default_factory=dict)

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
