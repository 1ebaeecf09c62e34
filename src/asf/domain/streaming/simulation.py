"""The simulation stream: text instead of audio, to try out a client before there is any audio."""

from asf.domain.streaming.events import (
    EndOfStream,
    ListenerEvent,
    SessionStatus,
    SimulatedChunk,
    StartOfStream,
    StatusChanged,
)
from asf.domain.streams.stream import StreamState

STREAM_ID = "simulation"
TEXTS = ("Audio chunk 1", "Audio chunk 2", "Audio chunk 3", "End of stream")


def simulated_events(timestamp: float, chunk_bytes: int) -> list[ListenerEvent]:
    """Return all events of a session on the simulation stream. `timestamp` is in seconds since the Unix epoch."""
    total = sum(map(len, TEXTS))
    return [
        StatusChanged(STREAM_ID, SessionStatus.JOINED),
        StartOfStream(
            STREAM_ID, timestamp, 0, total, chunk_bytes, "text/plain", STREAM_ID, StreamState.COMPLETE, None
        ),
        *map(SimulatedChunk, TEXTS),
        EndOfStream(STREAM_ID, timestamp, total),
    ]
