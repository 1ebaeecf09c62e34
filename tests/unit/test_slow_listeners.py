"""Who reads nothing is dropped; who reads, however slowly, is not."""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from asf.domain.streaming.intake import BYTES_IN_PERIOD, MAX_BUFFER_BYTES, STEP_BYTES, longest_silence
from asf.domain.streaming.session import ListenerSession, ListenRequest
from asf.domain.streaming.slow_listeners import LOOKS, LOOKS_PER_TURN, NO_ANSWERS, SlowListeners
from tests.support.virtual import ScriptedListener

SLOW_SECONDS = 30.0
LOOK_SECONDS = SLOW_SECONDS / LOOKS


class Blocked:
    """A session that is blocked from 0.0 on, and its timer."""

    def __init__(self, silence_seconds: float | None = None) -> None:
        self.timer = SlowListeners(SLOW_SECONDS)
        self.listener = ScriptedListener()
        self.outcomes: list[str] = []
        self.now = 0.0
        request = ListenRequest("s", silence_seconds=silence_seconds)
        self.session = ListenerSession(
            "one", request, self.listener, 0.0, lambda _session, outcome: self.outcomes.append(outcome)
        )
        self.timer.add(self.session, 0.0)

    def run(self, seconds: float) -> None:
        """Let time pass, in which the timer fires when it is due."""
        end = self.now + seconds
        while (due := self.timer.next_time) is not None and due <= end:
            self.now = due
            self.timer.fire(due)
        self.now = end

    def dropped_after(self, longest: float) -> float:
        """Return when the session was dropped."""
        while not self.outcomes and self.now < longest:
            self.run(LOOK_SECONDS)
        assert self.outcomes == ["ASF_LISTENER_TOO_SLOW"]
        return self.now


@given(st.lists(st.floats(0.0, SLOW_SECONDS - LOOK_SECONDS), max_size=20))
def test_a_listener_whose_machine_acknowledges_something_is_not_dropped(pauses: list[float]) -> None:
    """However little, and though the connection takes no audio all the while."""
    blocked = Blocked()
    for pause in pauses:
        blocked.run(pause)
        blocked.listener.acknowledged += 1
    assert blocked.outcomes == []
    silent_from = blocked.now
    assert 0 <= blocked.dropped_after(silent_from + 100.0) - silent_from - SLOW_SECONDS <= 2 * LOOK_SECONDS


def test_a_listener_that_takes_nothing_is_dropped_in_time() -> None:
    """At most a quarter of the time late."""
    assert SLOW_SECONDS <= Blocked().dropped_after(100.0) <= SLOW_SECONDS * (1 + 2 / LOOKS)


def test_the_allowed_silence_is_the_session_s_own() -> None:
    """Such as that of a player that pauses."""
    assert 900.0 <= Blocked(900.0).dropped_after(2000.0) <= 900.0 + 2 * LOOK_SECONDS


@given(st.lists(st.floats(0.0, NO_ANSWERS * SLOW_SECONDS - 2 * LOOK_SECONDS), max_size=5))
def test_a_listener_whose_machine_does_not_answer_is_dropped_although_it_may_pause(silences: list[float]) -> None:
    """Not one that answers again in time, nor one that only reads nothing."""
    blocked = Blocked(86_400.0)
    for silence in silences:
        blocked.listener.answers = False
        blocked.run(silence)
        blocked.listener.answers = True
        blocked.run(2 * LOOK_SECONDS)
    blocked.run(10 * NO_ANSWERS * SLOW_SECONDS)
    assert blocked.outcomes == []
    blocked.listener.answers = False
    vanished_at, longest = blocked.now, NO_ANSWERS * SLOW_SECONDS
    assert longest - LOOK_SECONDS <= blocked.dropped_after(86_400.0) - vanished_at <= longest + 2 * LOOK_SECONDS


@given(st.integers(0, 1 << 30))
def test_a_listener_that_reads_slowly_may_acknowledge_in_steps(unread: int) -> None:
    """A machine with memory for much makes room for much at once: the slowest reader needs its time for that."""
    seconds = longest_silence(SLOW_SECONDS, unread)
    step = max(min(unread, STEP_BYTES), min(unread, MAX_BUFFER_BYTES) // 16)
    assert seconds >= SLOW_SECONDS
    assert seconds * BYTES_IN_PERIOD / SLOW_SECONDS >= step * (1 - 1e-9)
    blocked = Blocked()
    blocked.listener.unread = unread
    assert seconds <= blocked.dropped_after(2000.0) <= seconds + 3 * LOOK_SECONDS


def test_a_listener_that_shows_what_it_has_read_is_not_dropped() -> None:
    """From then on it has its time for what it has not read by then."""
    blocked = Blocked()
    blocked.listener.unread = STEP_BYTES
    blocked.run(longest_silence(SLOW_SECONDS, STEP_BYTES) - LOOK_SECONDS)
    blocked.listener.unread = STEP_BYTES // 2
    answered_at = blocked.now
    assert blocked.dropped_after(2000.0) - answered_at >= longest_silence(SLOW_SECONDS, STEP_BYTES // 2)


def test_a_turn_looks_at_a_bounded_number_of_sessions() -> None:
    """The rest stays due."""
    timer = SlowListeners(SLOW_SECONDS)
    looks: list[int] = []
    for number in range(3 * LOOKS_PER_TURN):
        listener = ScriptedListener()
        listener.on_look = partial(looks.append, number)
        session = ListenerSession(str(number), ListenRequest("s"), listener, 0.0, lambda *_: None)
        timer.add(session, 0.0)
    for turn in range(1, 4):
        assert timer.next_time == LOOK_SECONDS
        timer.fire(LOOK_SECONDS)
        assert looks == list(range(turn * LOOKS_PER_TURN))
    assert timer.next_time == 2 * LOOK_SECONDS
    timer.fire(LOOK_SECONDS)
    assert len(looks) == 3 * LOOKS_PER_TURN
