"""The lifecycle of a session, as one table of states and events.

Rules that the table implements:

1. A session waits for its audio at most once, at the start.
2. Audio is sent only in `FLOWING`.
3. Nothing follows `ENDED`.
4. A listener may pause, resume, seek and leave at any time before the end.
"""

from enum import Enum, auto


class SessionState(Enum):
    """The states of a session."""

    WAITING = auto()
    """The stream has not been announced yet; the session starts when it is."""
    WAITING_PAUSED = auto()
    """Waiting and paused: the listener paused before the stream was announced; the session will start paused."""
    FLOWING = auto()
    """Audio is sent as pace, growth, window and back-pressure allow."""
    STALLED = auto()
    """The session is at the live edge, and the audio has not grown for a while."""
    PAUSED = auto()
    """The listener has paused."""
    ENDED = auto()
    """The session is over and holds nothing."""


class SessionEvent(Enum):
    """The events of a session."""

    START = auto()
    """The stream is announced, and its audio is open."""
    STALL = auto()
    """The audio is still growing, but has not grown for a while."""
    WAKE = auto()
    """The stalled audio has grown, or has ended."""
    PAUSE = auto()
    RESUME = auto()
    SEEK = auto()
    COMPLETE = auto()
    """All audio has been sent."""
    FAIL = auto()
    """The rest cannot be sent, because of an error."""
    LEAVE = auto()
    """The listener has left or disconnected."""


TRANSITIONS: dict[SessionState, dict[SessionEvent, SessionState]] = {
    SessionState.WAITING: {
        SessionEvent.START: SessionState.FLOWING,
        SessionEvent.PAUSE: SessionState.WAITING_PAUSED,
        SessionEvent.RESUME: SessionState.WAITING,
        SessionEvent.SEEK: SessionState.WAITING,
        SessionEvent.FAIL: SessionState.ENDED,
        SessionEvent.LEAVE: SessionState.ENDED,
    },
    SessionState.WAITING_PAUSED: {
        SessionEvent.START: SessionState.PAUSED,
        SessionEvent.PAUSE: SessionState.WAITING_PAUSED,
        SessionEvent.RESUME: SessionState.WAITING,
        SessionEvent.SEEK: SessionState.WAITING_PAUSED,
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
        SessionEvent.WAKE: SessionState.FLOWING,
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
"""The next state, by state and event. What is not listed is impossible: `next_state` raises."""


class ImpossibleTransition(Exception):
    """An event that the table does not list for the state: a bug in ASF, not an error of a listener."""


def next_state(state: SessionState, event: SessionEvent) -> SessionState:
    """Return the state that follows `event` in `state`. Raises `ImpossibleTransition`."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise ImpossibleTransition(f"{event.name} in {state.name}") from None
