"""Listeners of streams that nothing has been announced of yet."""

from collections import OrderedDict

from asf.domain.errors import StreamNotFound
from asf.domain.streaming.session import ListenerSession


class WaitingRoom:
    """Sessions that wait for their stream to be announced, `wait_seconds` at the longest: a `Timer` of the pump."""

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        # All wait equally long, so the order of coming is the order of giving up.
        self._deadlines: OrderedDict[ListenerSession, float] = OrderedDict()
        self._by_stream: dict[str, dict[ListenerSession, None]] = {}

    @property
    def next_time(self) -> float | None:
        """When the next session gives up, in seconds of the clock; None when none waits."""
        return next(iter(self._deadlines.values()), None)

    def __contains__(self, session: ListenerSession) -> bool:
        """Tell whether the session waits."""
        return session in self._deadlines

    def add(self, session: ListenerSession, now: float) -> None:
        """Let the session wait from `now` on."""
        self._deadlines[session] = now + self._wait_seconds
        self._by_stream.setdefault(session.stream_id, {})[session] = None

    def remove(self, session: ListenerSession) -> None:
        """Let the session wait no more."""
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
        """Let sessions give up that have waited long enough."""
        while (deadline := self.next_time) is not None and deadline <= now:
            session = next(iter(self._deadlines))
            session.fail(StreamNotFound("It was not announced in time."))
