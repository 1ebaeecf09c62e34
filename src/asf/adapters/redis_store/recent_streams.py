"""Streams that were read from Redis, for as long as no change of the catalog was counted since."""

import time
from collections.abc import Callable
from typing import Protocol

from asf.adapters.followed_streams import Read
from asf.domain.streams.stream import AudioStream, StreamState

MAX_STREAMS = 1000
"""Maximum number of streams that are remembered."""

MAX_AGE_SECONDS = 1.0
"""How long a stream is remembered. A change whose answer was lost may be stored after it was counted, or by a worker
that ended before it counted it."""


class Changes(Protocol):
    """Counts the changes of the catalog by all servers that share a Redis."""

    def note(self) -> None:
        """Count a change by this server."""
        ...

    def total(self) -> int:
        """Return how many changes there were: never less than before."""
        ...


class RecentStreams:
    """The streams that this server has read since the last of all `changes`.

    Only streams that have ended: one whose audio grows has to be followed, and what was read before it is followed
    may be old by then. `now` returns seconds of a monotonic clock.
    """

    def __init__(self, changes: Changes, now: Callable[[], float] = time.monotonic) -> None:
        self._changes = changes
        self._now = now
        self._total = 0
        # Read when there were `_total` changes; each with the time before which it was.
        self._streams: dict[str, tuple[AudioStream, float]] = {}

    def get(self, stream_id: str) -> AudioStream | None:
        """Return the stream if it is remembered, and no change was counted since; else None."""
        known = self._streams.get(stream_id)
        if known is None or self._total != self._changes.total():
            return None
        stream, until = known
        return stream if self._now() < until else None

    def read(self, stream_id: str, read: Read) -> AudioStream | None:
        """Return what `read` returns, and remember it. Raises what `read` raises."""
        total, until = self._changes.total(), self._now() + MAX_AGE_SECONDS
        stream = read(stream_id)
        if stream is not None and stream.state is not StreamState.GENERATING and total == self._changes.total():
            if total != self._total or len(self._streams) >= MAX_STREAMS:
                self._streams.clear()
                self._total = total
            self._streams[stream_id] = (stream, until)
        else:
            self._streams.pop(stream_id, None)
        return stream

    def note_change(self) -> None:
        """Let no server remember what it has read. Raises nothing.

        To be called when Redis has stored a change, before that is answered: who asks afterwards gets the new value.
        """
        self._changes.note()
