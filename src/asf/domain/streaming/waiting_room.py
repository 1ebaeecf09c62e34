"""Sessions on streams that have not been announced yet."""

from collections import OrderedDict

from asf.domain.errors import StreamNotFound
from asf.domain.streaming.session import ListenerSession

ENDS_PER_TURN = 32
"""Maximum sessions that are ended in one turn of the pump, before the other tasks of the process run."""


class WaitingRoom:
    """Sessions that wait for their stream to be announced, for at most `wait_seconds`: a `Timer` of the pump."""

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        # All have the same timeout, so the first one added times out first.
        self._deadlines: OrderedDict[ListenerSession, float] = OrderedDict()
        self._by_stream: dict[str, dict[ListenerSession, None]] = {}

    @property
    def next_time(self) -> float | None:
        """When the next session times out, in seconds of the clock; None when none waits."""
        return next(iter(self._deadlines.values()), None)

    def __contains__(self, session: ListenerSession) -> bool:
        """Return whether the session waits."""
        return session in self._deadlines

    def add(self, session: ListenerSession, now: float) -> None:
        """Let the session wait, from `now` on (seconds of the clock)."""
        self._deadlines[session] = now + self._wait_seconds
        self._by_stream.setdefault(session.stream_id, {})[session] = None

    def remove(self, session: ListenerSession) -> None:
        """Remove a session. One that does not wait is ignored."""
        if self._deadlines.pop(session, None) is None:
            return
        waiting = self._by_stream[session.stream_id]
        del waiting[session]
        if not waiting:
            del self._by_stream[session.stream_id]

    def of(self, stream_id: str) -> list[ListenerSession]:
        """Return the sessions that wait for the stream."""
        return list(self._by_stream.get(stream_id, ()))

    def fire(self, now: float) -> None:
        """Fail sessions that have waited too long, at most `ENDS_PER_TURN`; the rest stays due."""
        for _ in range(ENDS_PER_TURN):
            if (deadline := self.next_time) is None or deadline > now:
                break
            session = next(iter(self._deadlines))
            self.remove(session)
            session.fail(StreamNotFound("The stream was not announced in time."))
