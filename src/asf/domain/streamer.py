"""The decision at the heart of ASF: which bytes of a stream one listener is due."""

from dataclasses import dataclass

from asf.domain.pacing import Pace
from asf.domain.session import ListenerSession


@dataclass(slots=True)
class SendAudio:
    """The bytes from `start` to `stop` (exclusive) are due. They lie in one batch."""

    start: int
    stop: int


@dataclass(slots=True)
class WaitUntil:
    """Nothing is due before `time` (seconds of the clock)."""

    time: float


@dataclass(slots=True)
class EndReached:
    """Everything has been sent."""


Decision = SendAudio | WaitUntil | EndReached

END_REACHED = EndReached()


class ChunkStreamer:
    """Decides what a session is due. It neither waits nor reads nor sends: the `AudioPump` does, as decided here.

    A batch becomes due with its first chunk and is then due as a whole: ahead of the pace by less than a batch,
    and never behind it. Each session's pace counts from its own start.
    """

    def __init__(self, pace: Pace) -> None:
        self.pace = pace

    def decide(self, session: ListenerSession, until: float) -> Decision:
        """Return what to do for `session`, everything due before `until` (seconds of the clock) being due now."""
        offset = session.offset
        size = session.audio.size
        if offset >= size:
            return END_REACHED
        due = session.origin_time + self.pace.seconds_for(offset - session.origin_offset)
        if due >= until:
            return WaitUntil(due)
        return SendAudio(offset, min(self.pace.batch_end(offset), size))
