"""How often, and how many."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from asf.adapters import limits
from asf.adapters.limits import ConnectionQuota, RateLimit
from asf.domain.errors import RateLimited, TooManyConnections

gaps = st.lists(st.floats(0, 3), max_size=60)


@given(rate=st.floats(0.1, 10), burst=st.integers(1, 10), gaps=gaps)
def test_no_more_is_let_through_than_the_burst_and_the_rate_allow(rate: float, burst: int, gaps: list[float]) -> None:
    """In any stretch of time: the burst, and so many for each second of it."""
    limit, now, taken = RateLimit(rate, burst), 100.0, []
    for gap in gaps:
        now += gap
        if limit.take(now):
            taken.append(now)
    for first, start in enumerate(taken):
        for count, end in enumerate(taken[first:], 1):
            assert count <= burst + (end - start) * rate + 1e-6


@given(rate=st.floats(0.1, 10), burst=st.integers(1, 10), gaps=gaps)
def test_whoever_keeps_to_the_rate_is_never_refused(rate: float, burst: int, gaps: list[float]) -> None:
    """However late it is now and then."""
    limit, now = RateLimit(rate, burst), 100.0
    for gap in gaps:
        now += 1.000001 / rate + gap
        assert limit.take(now)


@given(rate=st.floats(0.1, 10), burst=st.integers(1, 10), gaps=gaps)
def test_whoever_waits_as_told_is_in_bounds(rate: float, burst: int, gaps: list[float]) -> None:
    """The same stream of events, slowed down, is what another limit of the same kind lets through."""
    slowing, checking, now = RateLimit(rate, burst), RateLimit(rate, burst), 100.0
    for number, gap in enumerate(gaps):
        now += gap
        now += slowing.delay(now)
        assert checking.take(now + number * 1e-6)  # Floats are not exact.


def test_a_burst_is_free_and_then_it_goes_on_evenly() -> None:
    """Three at once, then one each half second."""
    limit = RateLimit(2, 3)
    assert [limit.delay(10.0) for _ in range(6)] == pytest.approx([0, 0, 0, 0.5, 1.0, 1.5])
    assert limit.delay(20.0) == 0


addresses = st.sampled_from(
    ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
)
HOLDERS = {
    "::ffff:192.0.2.1": "192.0.2.1",
    "2001:db8::1": "2001:db8::/64",
    "2001:db8::2": "2001:db8::/64",
}


class OccupancyMachine(RuleBasedStateMachine):
    """Connections come and go; a counter of another kind is always right."""

    def __init__(self) -> None:
        super().__init__()
        self.occupancy = ConnectionQuota(6, 2)
        self.there: list[str] = []

    def of(self, address: str) -> int:
        return Counter(HOLDERS.get(one, one) for one in self.there)[HOLDERS.get(address, address)]

    @rule(address=addresses)
    def come(self, address: str) -> None:
        refusal = self.occupancy.refusal(address)
        if len(self.there) >= 6:
            assert isinstance(refusal, TooManyConnections)
        elif self.of(address) >= 2:
            assert isinstance(refusal, RateLimited)
        else:
            assert refusal is None
        room = len(self.there) < 6 + limits.REJECTION_HEADROOM and self.of(address) < 4
        assert self.occupancy.has_rejection_headroom(address) == room
        if room:
            self.occupancy.take(address)
            self.there.append(address)

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        address = self.there.pop(data.draw(st.integers(0, len(self.there) - 1)))
        self.occupancy.release(address)

    @invariant()
    def counts(self) -> None:
        assert len(self.occupancy) == len(self.there)

    def teardown(self) -> None:
        """Nothing is kept about addresses that are gone."""
        for address in self.there:
            self.occupancy.release(address)
        assert not self.occupancy._taken_by  # noqa: SLF001 - it must not grow with every address ever seen


TestOccupancy = OccupancyMachine.TestCase


def test_without_a_bound_for_each_address_one_may_have_all() -> None:
    """As it is behind a proxy."""
    occupancy = ConnectionQuota(3, 0)
    for _ in range(3):
        assert occupancy.refusal("192.0.2.1") is None
        occupancy.take("192.0.2.1")
    assert isinstance(occupancy.refusal("192.0.2.1"), TooManyConnections)
    assert occupancy.has_rejection_headroom("192.0.2.1")


def test_what_is_no_address_of_the_internet_counts_by_itself() -> None:
    """Such as a path."""
    occupancy = ConnectionQuota(3, 1)
    occupancy.take("/run/socket")
    assert isinstance(occupancy.refusal("/run/socket"), RateLimited)
    assert occupancy.refusal("") is None


def test_an_exempt_address_may_have_many_and_yet_no_more_than_there_are() -> None:
    """Such as a backend, or the proxy that all listeners come from."""
    occupancy = ConnectionQuota(3, 1, is_exempt=lambda address: address == "10.0.0.1")
    for _ in range(3):
        assert occupancy.refusal("10.0.0.1") is None
        assert occupancy.has_rejection_headroom("10.0.0.1")
        occupancy.take("10.0.0.1")
    assert isinstance(occupancy.refusal("10.0.0.1"), TooManyConnections)
    assert occupancy.has_rejection_headroom("10.0.0.1")
