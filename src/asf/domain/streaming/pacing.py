"""The pace of sending, and how chunks are grouped into batches."""

from dataclasses import dataclass, field

MAX_BATCH_BYTES = 65536
"""Most bytes that are sent to one listener at a time, unless a single chunk is larger. It bounds how long the other
listeners wait meanwhile."""

MAX_BATCH_CHUNKS = 64
"""Most chunks in a batch: the cost of tiny chunks is that of their number, not of their bytes."""

MAX_AHEAD_SECONDS = 1.0
"""Longest audio in a batch, in seconds, unless a single chunk is longer: how far a session may be ahead of the pace.
More would make pausing and seeking sluggish; less would cost more wake-ups for the same bytes."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`chunk_bytes` every `chunk_seconds`, grouped into batches.

    A batch is the run of whole chunks, counted from byte 0 of the audio, that is read and sent as one: as many as
    fit `MAX_BATCH_BYTES`, `MAX_BATCH_CHUNKS` and `MAX_AHEAD_SECONDS`, at least one. Batches begin at fixed offsets,
    so that all listeners of a stream share them. `chunk_seconds` of 0 means as fast as the listener takes the bytes.

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
        """Return the end (exclusive) of the batch in which byte `offset` lies."""
        return (offset // self.batch_bytes + 1) * self.batch_bytes
