"""What times out is taken out before it is failed: a session that has ended already holds nothing up."""

import pytest

from asf.domain.errors import AsfError
from asf.domain.streaming.session import ListenerSession, ListenRequest
from asf.domain.streaming.slow_listeners import LOOKS, SlowListeners
from asf.domain.streaming.waiting_room import WaitingRoom
from tests.support.virtual import ScriptedListener


class EndedSession(ListenerSession):
    """A session whose `fail` changes nothing, as it has ended."""

    __slots__ = ("failures",)

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id, ListenRequest("s"), ScriptedListener(), 0.0, lambda _session, _outcome: None)
        self.failures: list[str] = []
        self.abandon()

    def fail(self, error: AsfError) -> None:
        assert not self.failures, "Its timeout fires again and again."
        self.failures.append(error.error_code)
        super().fail(error)


def test_a_session_that_waits_times_out_once_whatever_becomes_of_it() -> None:
    """And the ones behind it in their turn."""
    timer = WaitingRoom(5.0)
    first, second, later = (EndedSession(name) for name in ("first", "second", "later"))
    for session, time in ((first, 0.0), (second, 1.0), (later, 2.0)):
        timer.add(session, time)
    assert timer.next_time == 5.0
    timer.fire(6.0)
    code = "ASF_STREAM_NOT_FOUND"
    assert (first.failures, second.failures, later.failures) == ([code], [code], [])
    assert timer.next_time == 7.0
    timer.remove(later)
    assert timer.next_time is None


@pytest.mark.parametrize("looks", [1, LOOKS, 3 * LOOKS])
def test_a_blocked_session_that_has_ended_is_forgotten_at_its_next_look(looks: int) -> None:
    """Those behind it are looked at in their turn."""
    timer = SlowListeners(8.0)
    first, later = EndedSession("first"), EndedSession("later")
    timer.add(first, 0.0)
    timer.add(later, 1.0)
    for number in range(looks):
        assert timer.next_time == min(1.0 + number, 2.0) or timer.next_time is None
        timer.fire(1.0 + number)
    assert first.failures == []
    timer.remove(later)
    assert len(timer) == 0
    assert timer.next_time is None
