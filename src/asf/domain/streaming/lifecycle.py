"""The life of a listener's session, as one table of states and events.

Rules that the table holds:

1. A session waits for its audio at most once, at the beginning.
2. Audio goes out in `FLOWING` only.
3. Nothing follows `ENDED`.
4. A listener may pause, resume, seek and leave at any time before the end.
"""

from enum import Enum, auto


class SessionState(Enum):
    """Where a session stands."""

    WAITING = auto()
    """Nothing has been announced yet; the session begins when it is."""
    HELD = auto()
    """As `WAITING`, and the listener has paused: audio will wait for `RESUME`."""
    FLOWING = auto()
    """Audio goes out as it is due, written, granted and taken."""
    STALLED = auto()
    """The listener has everything that was written, and nothing has been written for long."""
    PAUSED = auto()
    """The listener wants no audio for now."""
    ENDED = auto()
    """Over. Nothing is held for the listener any more."""


class SessionEvent(Enum):
    """What may happen to a session."""

    BEGIN = auto()
    """The audio is announced and opened."""
    STALL = auto()
    """The audio that is being made has not grown for long."""
    GROW = auto()
    """The audio that had stalled has grown, or it is known how it ends."""
    PAUSE = auto()
    RESUME = auto()
    SEEK = auto()
    COMPLETE = auto()
    """Everything has been sent."""
    FAIL = auto()
    """The listener cannot have the rest."""
    LEAVE = auto()
    """The listener is gone, or wants something else."""


TRANSITIONS: dict[SessionState, dict[SessionEvent, SessionState]] = {
    SessionState.WAITING: {
        SessionEvent.BEGIN: SessionState.FLOWING,
        SessionEvent.PAUSE: SessionState.HELD,
        SessionEvent.RESUME: SessionState.WAITING,
        SessionEvent.SEEK: SessionState.WAITING,
        SessionEvent.FAIL: SessionState.ENDED,
        SessionEvent.LEAVE: SessionState.ENDED,
    },
    SessionState.HELD: {
        SessionEvent.BEGIN: SessionState.PAUSED,
        SessionEvent.PAUSE: SessionState.HELD,
        SessionEvent.RESUME: SessionState.WAITING,
        SessionEvent.SEEK: SessionState.HELD,
        SessionEvent.FAIL: SessionState.ENDED,
        SessionEvent.LEAVE: SessionState.ENDED,
    },
    SessionState.FLOWING: {
        SessionEvent.STALL: SessionState.STALLED,
        SessionEvent.PAUSE: SessionState.PAUSED,
        SessionEvent.RESUME: SessionState.FLOWING,
        SessionEvent.SEEK: SessionState.FLOWING,
        SessionEvent.COMPLETE: SessionState.ENDED,
        SessionEvent.FAIL: SessionState.ENDED,
        SessionEvent.LEAVE: SessionState.ENDED,
    },
    SessionState.STALLED: {
        SessionEvent.GROW: SessionState.FLOWING,
        SessionEvent.PAUSE: SessionState.PAUSED,
        SessionEvent.RESUME: SessionState.STALLED,
        SessionEvent.SEEK: SessionState.FLOWING,
        SessionEvent.FAIL: SessionState.ENDED,
        SessionEvent.LEAVE: SessionState.ENDED,
    },
    SessionState.PAUSED: {
        SessionEvent.PAUSE: SessionState.PAUSED,
        SessionEvent.RESUME: SessionState.FLOWING,
        SessionEvent.SEEK: SessionState.PAUSED,
        SessionEvent.FAIL: SessionState.ENDED,
        SessionEvent.LEAVE: SessionState.ENDED,
    },
    SessionState.ENDED: {},
}
"""Which state follows which event. What is not listed cannot happen: `next_state` raises."""


class ImpossibleTransition(Exception):
    """An event that the state does not know: a mistake of the program, not of a listener."""


def next_state(state: SessionState, event: SessionEvent) -> SessionState:
    """Return the state that follows `event` in `state`. Raises `ImpossibleTransition`."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise ImpossibleTransition(f"{event.name} in {state.name}") from None
