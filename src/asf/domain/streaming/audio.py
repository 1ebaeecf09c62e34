"""Batches: the units in which audio is read, cached and sent."""

from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

UNKNOWN_CONTENT_TYPE = "application/octet-stream"
"""The media type of audio whose name and first bytes do not show it."""

SNIFFED_BYTES = 1024
"""How many of the first bytes are enough to tell the media type, where they tell it at all."""


@dataclass(eq=False, slots=True)
class AudioBatch:
    """Consecutive whole chunks of audio, shared by all sessions to which they are due.

    `offset` is the offset in the audio of the first byte of `data`, `chunk_bytes` the size of its chunks (the last
    one of the audio may be shorter). A batch is equal only to itself. `seconds_per_byte` is how long a byte of it
    plays, infinite until that was looked for. `derived` is what emitters have made of it, such as frames, each under
    a key of its own: it is kept as long as the batch.
    """

    offset: int
    data: bytes
    chunk_bytes: int
    seconds_per_byte: float = inf
    derived: dict[object, bytes] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """Offset of the first byte after the batch."""
        return self.offset + len(self.data)

    def note_rate(self, seconds_per_byte: float) -> float:
        """Note how many seconds a byte of it plays, 0 if that cannot be known. Returns the value."""
        self.seconds_per_byte = seconds_per_byte
        return seconds_per_byte

    def chunks(self, start: int, stop: int) -> list[bytes]:
        """Return the bytes from `start` to `stop` (offsets in the audio), cut at the chunks' boundaries."""
        cuts = [start, *range(self._next_boundary(start), stop, self.chunk_bytes), stop]
        return [self.data[left - self.offset : right - self.offset] for left, right in pairwise(cuts)]

    def _next_boundary(self, offset: int) -> int:
        return (offset // self.chunk_bytes + 1) * self.chunk_bytes
