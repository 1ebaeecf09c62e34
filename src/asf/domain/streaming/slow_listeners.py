"""Slow listeners: drops sessions that have been blocked by back-pressure and have read nothing for too long."""

from collections import OrderedDict

from asf.domain.errors import ListenerTooSlow
from asf.domain.streaming.intake import Intake, longest_silence
from asf.domain.streaming.session import ListenerSession

LOOKS_PER_TURN = 32
"""Maximum sessions that are looked at in one turn of the pump, before the other tasks of the process run."""

LOOKS = 8
"""How often a blocked session is looked at in `slow_seconds`: so it is dropped at most a quarter of them late."""


NO_ANSWERS = 4
"""For how many `slow_seconds` a machine may not answer at all: as long as one has no network in a tunnel. One that
has vanished does not keep the place of a listener that may pause for longer."""


class _Blocked:
    """A blocked session: when it is looked at next, and since when its listener has read nothing.

    `answered_at` is when its machine was last found to answer. All in seconds of the clock.
    """

    __slots__ = ("_taken", "answered_at", "look_at", "since")

    def __init__(self, look_at: float, since: float) -> None:
        self.look_at = look_at
        self.since = self.answered_at = since
        self._taken: tuple[int, int] | None = None  # At the last look; None before the first.

    def look(self, intake: Intake, now: float, next_look: float) -> None:
        """Record what the listener's machine has acknowledged, what was read of it, and whether it answers."""
        taken = (intake.acknowledged, intake.unread)
        if taken != self._taken:
            self._taken, self.since = taken, now
        if intake.answers:
            self.answered_at = now
        self.look_at = next_look


class SlowListeners:
    """Sessions that are blocked by back-pressure: a `Timer` of the pump.

    A session is dropped when its listener has read nothing for its `silence_seconds`, by default `slow_seconds`.
    What counts is what the listener's machine acknowledges: a connection takes more audio only when the listener has
    made room for much of it, and one that reads slowly does so rarely. A listener whose machine does not even answer
    is dropped after `NO_ANSWERS` of `slow_seconds`.
    """

    def __init__(self, slow_seconds: float) -> None:
        self._slow_seconds = slow_seconds
        self._look_seconds = slow_seconds / LOOKS
        # The session that is looked at next comes first: each is looked at in the same intervals.
        self._blocked: OrderedDict[ListenerSession, _Blocked] = OrderedDict()

    def __len__(self) -> int:
        """Return how many sessions are blocked."""
        return len(self._blocked)

    def __contains__(self, session: ListenerSession) -> bool:
        """Return whether the session is blocked."""
        return session in self._blocked

    def silence(self, session: ListenerSession, now: float) -> float | None:
        """Return for how many seconds the session's listener has read nothing, as far as known at the last look.

        None when the session is not blocked.
        """
        blocked = self._blocked.get(session)
        return None if blocked is None else max(0.0, now - blocked.since)

    @property
    def next_time(self) -> float | None:
        """When the next session is looked at, in seconds of the clock; None when none is blocked."""
        return next(iter(self._blocked.values())).look_at if self._blocked else None

    def add(self, session: ListenerSession, now: float) -> None:
        """Record that the session is blocked, since `now` or earlier."""
        if session not in self._blocked:
            self._blocked[session] = _Blocked(now + self._look_seconds, now)

    def remove(self, session: ListenerSession) -> None:
        """Record that the session is not blocked: bytes were taken, or it waits for something else."""
        self._blocked.pop(session, None)

    def fire(self, now: float) -> None:
        """Drop sessions that read nothing for too long. Looks at `LOOKS_PER_TURN` at most; the rest stays due."""
        for _ in range(LOOKS_PER_TURN):
            if (look_at := self.next_time) is None or look_at > now:
                break
            session, blocked = self._blocked.popitem(last=False)
            intake = session.emitter.intake()
            blocked.look(intake, now, now + self._look_seconds)
            has_vanished = now - blocked.answered_at >= NO_ANSWERS * self._slow_seconds
            if has_vanished or now - blocked.since >= self._longest_silence(session, intake.unread):
                session.fail(ListenerTooSlow())
            elif not session.ended:
                self._blocked[session] = blocked

    def _longest_silence(self, session: ListenerSession, unread: int) -> float:
        seconds = session.request.silence_seconds
        return max(self._slow_seconds if seconds is None else seconds, longest_silence(self._slow_seconds, unread))
