"""Access: what grants allow, the check of tokens, and the heap of expiries."""

from collections.abc import Hashable
from functools import partial
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from asf.domain.access.control import AccessControl
from asf.domain.access.expiry import ENDS_PER_TURN, SPARE_ENTRIES, Expiries
from asf.domain.access.grant import ALL, Grant
from asf.domain.errors import Unauthorized
from tests.support.virtual import ManualClock, ScriptedTokens

ids = st.text(max_size=3) | st.sampled_from(["demo", ALL])


@given(st.frozensets(ids), st.frozensets(ids), ids)
def test_a_grant_is_for_what_it_names(streams: frozenset[str], clients: frozenset[str], asked: str) -> None:
    """Or for all ids; streams and clients are independent."""
    grant = Grant("alice", 0.0, streams, clients)
    assert grant.allows_stream(asked) is (asked in streams or "*" in streams)
    assert grant.allows_client(asked) is (asked in clients or "*" in clients)


@given(
    st.frozensets(ids), st.frozensets(ids), ids, st.floats(0.001, 1e9), st.none() | st.sampled_from(["t", "other", 5])
)
def test_a_token_gives_access_to_what_it_grants(
    streams: frozenset[str], clients: frozenset[str], asked: str, seconds: float, token: object
) -> None:
    """To streams and to clients, until it expires; no other token does."""
    clock = ManualClock()
    grant = Grant("alice", clock.timestamp() + seconds, streams, clients)
    access = AccessControl(ScriptedTokens({"t": grant}), Expiries(), clock, lambda: None)
    for check, allowed in (
        (access.check_stream, grant.allows_stream(asked)),
        (access.check_client, grant.allows_client(asked)),
    ):
        if token == "t" and allowed:  # noqa: S105 - a word of this test
            assert check(token, asked) == pytest.approx(clock.now() + seconds)
        else:
            with pytest.raises(Unauthorized):
                check(token, asked)


@given(st.none() | st.text() | st.integers(), ids)
def test_without_a_verifier_all_access_is_granted(token: object, asked: str) -> None:
    """Without an end, whatever the token is; and nothing is stored for it."""
    expiries = Expiries()
    access = AccessControl(None, expiries, ManualClock(), lambda: pytest.fail("nothing is due"))
    assert access.check_stream(token, asked) is None
    assert access.check_client(token, asked) is None
    access.end_at("key", None, lambda _reason: pytest.fail("never"))
    assert len(expiries) == 0


class ExpiriesMachine(RuleBasedStateMachine):
    """The heap does what a dictionary of times would, and does not grow with removed entries."""

    def __init__(self) -> None:
        super().__init__()
        self.expiries = Expiries()
        self.model: dict[Hashable, float] = {}
        self.now = 0.0
        self.ended: list[Hashable] = []

    @rule(key=st.integers(0, 5), delay=st.sampled_from([-1.0, 0.0, 1.0, 1.0, 7.0, inf]))
    def put(self, key: int, delay: float) -> None:
        self.model[key] = self.now + delay
        self.expiries.put(key, self.now + delay, lambda: self.ended.append(key))

    @rule(key=st.integers(0, 5))
    def remove(self, key: int) -> None:
        self.model.pop(key, None)
        self.expiries.remove(key)

    @rule(delay=st.sampled_from([0.0, 0.5, 1.0, 10.0]))
    def fire(self, delay: float) -> None:
        self.now += delay
        due = {key: time for key, time in self.model.items() if time <= self.now}
        self.model = {key: time for key, time in self.model.items() if key not in due}
        self.ended = []
        self.expiries.fire(self.now)
        assert sorted(self.ended, key=str) == sorted(due, key=str)
        assert [due[key] for key in self.ended] == sorted(due.values())

    @rule()
    def join_again_and_again(self) -> None:
        for _ in range(3 * SPARE_ENTRIES):
            self.put(0, 1.0)

    @invariant()
    def the_next_time_is_the_earliest(self) -> None:
        assert self.expiries.next_time == min(self.model.values(), default=None)
        assert len(self.expiries) == len(self.model)
        assert len(self.expiries._heap) <= 2 * len(self.model) + SPARE_ENTRIES  # noqa: SLF001 - its memory


TestExpiries = ExpiriesMachine.TestCase


def test_many_expiries_at_once_take_several_turns() -> None:
    """So that other tasks run in between."""
    expiries = Expiries()
    ended: list[int] = []
    for number in range(2 * ENDS_PER_TURN + 1):
        expiries.put(number, 5.0, partial(ended.append, number))
    for turns in (1, 2):
        expiries.fire(6.0)
        assert ended == list(range(turns * ENDS_PER_TURN))
        assert expiries.next_time == 5.0
    expiries.fire(6.0)
    assert len(ended) == 2 * ENDS_PER_TURN + 1
    assert expiries.next_time is None
