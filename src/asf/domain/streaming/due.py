"""The decision which bytes of a stream are due to a session."""

from dataclasses import dataclass

from asf.domain.streaming.ahead import AheadLimit
from asf.domain.streaming.pacing import Pace
from asf.domain.streaming.session import ListenerSession


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
class WaitForGrowth:
    """The session is at the live edge: everything that has been written was sent."""


@dataclass(slots=True)
class WaitForCredit:
    """The window is full: the listener has not acknowledged enough of what was sent."""


@dataclass(slots=True)
class EndReached:
    """The audio has ended, or the listener wants no more of it, and all of that was sent."""


Decision = SendAudio | WaitUntil | WaitForGrowth | WaitForCredit | EndReached

END_REACHED = EndReached()
WAIT_FOR_GROWTH = WaitForGrowth()
WAIT_FOR_CREDIT = WaitForCredit()


class ChunkStreamer:
    """Decides what is due to a session. It does not wait, read or send; the `AudioPump` executes the decisions.

    A batch becomes due as a whole, with its first chunk: so a session is less than a batch ahead of the pace, and
    never behind it. Each session's pace counts from its own start. Growing audio is due as it is written, in chunks
    that may be smaller. Unacknowledged bytes never exceed the window; without a window, `ahead` limits how far a
    session is ahead of real time.
    """

    def __init__(self, pace: Pace, ahead: AheadLimit) -> None:
        self.pace = pace
        self.ahead = ahead

    def decide(self, session: ListenerSession, until: float) -> Decision:
        """Return what to do for `session` now: what is due before `until` (seconds of the clock) counts as due."""
        audio = session.audio
        assert audio is not None  # noqa: S101 - the session has started
        offset = session.offset
        if offset >= session.stop:
            return END_REACHED
        if offset >= audio.size:
            return WAIT_FOR_GROWTH if audio.growing else END_REACHED
        if session.paced:
            due = session.origin_time + self.pace.seconds_for(offset - session.origin_offset)
            lead = session.lead
            if lead is not None and lead.due > due:
                due = lead.due
            if due >= until:
                return WaitUntil(due)
        stop = min(self.pace.batch_end(offset), audio.size)
        if stop > session.stop:
            stop = int(session.stop)
        if session.window is not None:
            stop = self._granted(offset, stop, session.acknowledged, session.window)
            if stop <= offset:
                return WAIT_FOR_CREDIT
        return SendAudio(offset, stop)

    def _granted(self, offset: int, stop: int, acknowledged: int, window: int) -> int:
        """Return how far from `offset` to `stop` the window allows: whole chunks, unless it is less than one."""
        limit = acknowledged + window
        if limit >= stop:
            return stop
        boundary = limit // self.pace.chunk_bytes * self.pace.chunk_bytes
        return boundary if boundary > offset or window >= self.pace.chunk_bytes else limit
