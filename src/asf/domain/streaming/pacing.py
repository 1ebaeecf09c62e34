"""The pace of sending, and how chunks are grouped into batches."""

from dataclasses import dataclass, field

MAX_BATCH_BYTES = 65536
"""Maximum bytes in a batch, unless a single chunk is larger. It bounds how long other listeners wait meanwhile."""

MAX_BATCH_CHUNKS = 64
"""Maximum chunks in a batch: tiny chunks cost by their number, not by their bytes."""

MAX_AHEAD_SECONDS = 1.0
"""Maximum duration of a batch, in seconds, unless a single chunk is longer. It bounds how far a session is ahead of
the pace: more would make pausing and seeking sluggish, less would cost more wake-ups for the same bytes."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`chunk_bytes` every `chunk_seconds`, grouped into batches.

    A batch consists of the consecutive chunks that are read and sent together: as many as `MAX_BATCH_BYTES`,
    `MAX_BATCH_CHUNKS` and `MAX_AHEAD_SECONDS` allow, at least one. Batches are aligned to byte 0 of the audio, so
    that all listeners of a stream share them. A `chunk_seconds` of 0 means as fast as the listener takes the bytes.

    Raises ValueError when `chunk_bytes` is below 1 or `chunk_seconds` is negative or not finite.
    """

    chunk_bytes: int
    chunk_seconds: float
    batch_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        if self.chunk_bytes < 1:
            raise ValueError("chunk_bytes must be at least 1")
        if not 0 <= self.chunk_seconds < float("inf"):
            raise ValueError("chunk_seconds must be a finite number, at least 0")
        chunks = min(MAX_BATCH_CHUNKS, max(1, MAX_BATCH_BYTES // self.chunk_bytes))
        if self.chunk_seconds:
            chunks = min(chunks, max(1, int(MAX_AHEAD_SECONDS / self.chunk_seconds)))
        object.__setattr__(self, "batch_bytes", chunks * self.chunk_bytes)

    def seconds_for(self, length: int) -> float:
        """Return how many seconds `length` bytes take at this pace."""
        return length / self.chunk_bytes * self.chunk_seconds

    def batch_end(self, offset: int) -> int:
        """Return the end (exclusive) of the batch that contains byte `offset`."""
        return (offset // self.batch_bytes + 1) * self.batch_bytes
