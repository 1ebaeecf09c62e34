"""The audience of each stream on this node: how many listen, and up to which byte they need its audio."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from asf.domain.clock import Clock
from asf.domain.identifiers import MAX_OFFSET
from asf.domain.signal import Signal
from asf.domain.streaming.ahead import MAX_AHEAD_BYTES, AheadLimit
from asf.domain.streaming.session import ListenerSession

NO_EPOCH = ""
"""Stands for the epoch of listeners that wait for their stream: they take any."""

SESSIONS_PER_LOOK = 256
"""Sessions that are looked at before other tasks may run: about a millisecond."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a stream's listeners need (docs/contract.md, section 2).

    `listeners` are all sessions on the stream, whatever their epoch. `needed_until` is the furthest byte offset that
    one of them needs of the audio of one epoch; None if none of them needs audio that has yet to be generated.
    """

    listeners: int
    needed_until: int | None

    @classmethod
    def of(cls, listeners: int, needs: Mapping[str, int], epoch: str) -> "Demand":
        """Return the demand for the audio of `epoch`; `needs` are as of `Audience.needs`."""
        ours = [needs[one] for one in (epoch, NO_EPOCH) if one in needs]
        return cls(listeners, max(ours, default=None))


class Audience:
    """The sessions of each stream on this node, from their join to their end. The owner of these counts.

    Joining and leaving takes constant time, and nothing is counted while audio is sent: what the listeners need is
    found when it is asked for. `checkpoint` is called after every few of the sessions that are looked at, and may
    yield. `on_change` is called with the id of each stream that has got or lost a listener.
    """

    def __init__(self, ahead: AheadLimit, clock: Clock, checkpoint: Callable[[], object]) -> None:
        self.on_change: Signal[str] = Signal()
        self._ahead = ahead
        self._clock = clock
        self._checkpoint = checkpoint
        self._sessions: dict[str, dict[ListenerSession, None]] = {}

    def add(self, session: ListenerSession) -> None:
        """Count a session that has joined."""
        self._sessions.setdefault(session.stream_id, {})[session] = None
        self.on_change(session.stream_id)

    def remove(self, session: ListenerSession) -> None:
        """Count a session no longer, as it has ended."""
        sessions = self._sessions[session.stream_id]
        del sessions[session]
        if not sessions:
            del self._sessions[session.stream_id]
        self.on_change(session.stream_id)

    def stream_ids(self) -> list[str]:
        """Return the ids of the streams that have listeners."""
        return list(self._sessions)

    def count(self, stream_id: str) -> int:
        """Return how many listeners the stream has."""
        return len(self._sessions.get(stream_id, ()))

    def sessions_of(self, stream_id: str) -> Iterator[ListenerSession]:
        """Yield the sessions on a stream. Other tasks may run in between: some may have ended."""
        for number, session in enumerate(list(self._sessions.get(stream_id, ())), 1):
            yield session
            if number % SESSIONS_PER_LOOK == 0:
                self._checkpoint()

    def with_needs(self) -> list[str]:
        """Return the ids of the streams whose listeners need audio that has yet to be generated. May yield."""
        found = []
        for stream_id in self.stream_ids():
            if any(map(_needs_more, self.sessions_of(stream_id))):
                found.append(stream_id)
            self._checkpoint()
        return found

    def needs(self, stream_id: str) -> dict[str, int]:
        """Return the furthest byte offset that a listener of the stream needs, for each epoch of its audio.

        Listeners that wait for the stream are under `NO_EPOCH`. Those whose audio grows no more need nothing that has
        yet to be generated, and are left out. May yield.
        """
        needs: dict[str, int] = {}
        for session in filter(_needs_more, self.sessions_of(stream_id)):
            epoch = NO_EPOCH if session.stream is None else session.stream.epoch
            needs[epoch] = max(needs.get(epoch, 0), self._needed_until(session))
        return needs

    def _needed_until(self, session: ListenerSession) -> int:
        """Return the offset behind the last byte that would be sent to the listener by now if it existed."""
        until: float
        if session.window is not None:
            until = session.acknowledged + session.window
        elif session.lead is None or session.audio is None:
            until = session.offset + MAX_AHEAD_BYTES
        else:
            until = self._ahead.reach(session.lead, session.audio.durations, session.offset, self._clock.now())
        return int(min(until, session.stop, MAX_OFFSET))


def _needs_more(session: ListenerSession) -> bool:
    """Return whether a listener needs audio that has yet to be generated: it waits, or its audio grows."""
    return session.audio is None or session.audio.growing
