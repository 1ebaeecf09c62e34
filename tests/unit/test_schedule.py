"""The schedule: no session is lost or served twice, and the one due longest comes first."""

from hypothesis import given
from hypothesis import strategies as st

from asf.domain.streaming.schedule import STARTED_FOR_ONE_NEW, TICK_SECONDS, Schedule
from asf.domain.streaming.session import ListenerSession, ListenRequest
from tests.support.virtual import ScriptedListener


def nothing(_session: ListenerSession, _outcome: str) -> None:
    """Do nothing when a session ends."""


def sessions(count: int) -> list[ListenerSession]:
    """Return sessions that nothing has scheduled."""
    return [
        ListenerSession(str(number), ListenRequest("s"), ScriptedListener(), 0.0, nothing) for number in range(count)
    ]


def drain(schedule: Schedule) -> list[ListenerSession]:
    """Take out all that is due."""
    taken = []
    while (session := schedule.pop()) is not None:
        taken.append(session)
    return taken


@given(st.lists(st.tuples(st.sampled_from(["at", "due", "remove", "advance"]), st.integers(0, 4), st.floats(0, 1))))
def test_a_session_comes_out_once_for_each_time_it_is_due(steps: list[tuple[str, int, float]]) -> None:
    """Compared with a plain model: the due queue as a list, the calendar as a dictionary."""
    schedule, all_sessions = Schedule(), sessions(5)
    now = 0.0
    due: list[ListenerSession] = []
    later: dict[ListenerSession, float] = {}
    for action, number, amount in steps:
        session = all_sessions[number]
        if action == "at" and session not in due and session not in later:
            schedule.put_at(session, now + amount)
            later[session] = now + amount
        elif action == "due":
            schedule.put_due(session)
            later.pop(session, None)
            if session not in due:
                due.append(session)
        elif action == "remove":
            schedule.remove(session)
            later.pop(session, None)
            if session in due:
                due.remove(session)
        elif action == "advance":
            now += amount
            schedule.advance(now)
            taken = drain(schedule)
            assert taken[: len(due)] == due
            ready = taken[len(due) :]
            assert all(later[one] <= now + TICK_SECONDS for one in ready)
            for one in ready:
                del later[one]
            assert all(time > now - TICK_SECONDS for time in later.values())
            due = []


def test_a_due_time_is_moved_ahead_to_its_tick_never_behind() -> None:
    """The tick in which a due time lies begins at or before it."""
    schedule, (session,) = Schedule(), sessions(1)
    schedule.advance(10.0)
    schedule.put_at(session, 10.5)
    assert schedule.next_time is not None
    assert 10.5 - TICK_SECONDS <= schedule.next_time <= 10.5


def test_sessions_that_share_a_tick_share_a_wake_up() -> None:
    """Both become due together."""
    schedule, (first, second) = Schedule(), sessions(2)
    schedule.put_at(first, 1.001)
    schedule.put_at(second, 1.002)
    schedule.advance(1.0)
    assert drain(schedule) == [first, second]


def test_an_empty_schedule_wants_no_wake_up() -> None:
    """There is nothing to wait for."""
    assert Schedule().next_time is None


@given(st.integers(1, 100), st.integers(1, 100))
def test_thousands_that_begin_do_not_silence_those_that_listen(started: int, new: int) -> None:
    """Nor the other way round: of each group the one due longest comes next, in a fixed proportion."""
    schedule, all_sessions = Schedule(), sessions(started + new)
    listening, beginning = all_sessions[:started], all_sessions[started:]
    for session in listening:
        session.advance(1)
    for session in beginning + listening:
        schedule.put_due(session)
    taken = drain(schedule)
    assert [one for one in taken if one in listening] == listening
    assert [one for one in taken if one in beginning] == beginning
    for number, session in enumerate(listening):
        assert taken.index(session) <= number + number // STARTED_FOR_ONE_NEW + 1
    for number, session in enumerate(beginning):
        assert taken.index(session) <= number + (number + 1) * STARTED_FOR_ONE_NEW


def test_a_session_is_in_one_queue_only() -> None:
    """Also when it has sent its first audio while it was due."""
    schedule, (session,) = Schedule(), sessions(1)
    schedule.put_due(session)
    session.advance(1)
    schedule.put_due(session)
    assert drain(schedule) == [session]
    schedule.put_due(session)
    schedule.remove(session)
    assert not schedule.has_due
