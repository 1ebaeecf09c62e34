"""Rate limits and connection quotas."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from asf.adapters import connection_quota
from asf.adapters.connection_quota import ConnectionQuota
from asf.adapters.rate_limit import RateLimit
from asf.domain.errors import RateLimited, TooManyConnections

gaps = st.lists(st.floats(0, 3), max_size=60)


@given(rate=st.floats(0.1, 10), burst=st.integers(1, 10), gaps=gaps)
def test_no_more_is_allowed_than_the_burst_and_the_rate(rate: float, burst: int, gaps: list[float]) -> None:
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
def test_events_within_the_rate_are_never_rejected(rate: float, burst: int, gaps: list[float]) -> None:
    """However late some of them are."""
    limit, now = RateLimit(rate, burst), 100.0
    for gap in gaps:
        now += 1.000001 / rate + gap
        assert limit.take(now)


@given(rate=st.floats(0.1, 10), burst=st.integers(1, 10), gaps=gaps)
def test_events_that_are_delayed_as_returned_are_within_the_limit(rate: float, burst: int, gaps: list[float]) -> None:
    """The same events, throttled, are what another limit of the same kind allows."""
    slowing, checking, now = RateLimit(rate, burst), RateLimit(rate, burst), 100.0
    for number, gap in enumerate(gaps):
        now += gap
        now += slowing.delay(now)
        assert checking.take(now + number * 1e-6)  # Floats are not exact.


def test_a_burst_is_free_and_then_events_are_evenly_spaced() -> None:
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


class QuotaMachine(RuleBasedStateMachine):
    """Connections open and close; a simpler counter gives the same answers."""

    def __init__(self) -> None:
        super().__init__()
        self.quota = ConnectionQuota(6, 2)
        self.there: list[str] = []

    def of(self, address: str) -> int:
        return Counter(HOLDERS.get(one, one) for one in self.there)[HOLDERS.get(address, address)]

    @rule(address=addresses)
    def come(self, address: str) -> None:
        rejection = self.quota.rejection(address)
        if len(self.there) >= 6:
            assert isinstance(rejection, TooManyConnections)
        elif self.of(address) >= 2:
            assert isinstance(rejection, RateLimited)
        else:
            assert rejection is None
        room = len(self.there) < 6 + connection_quota.REJECTION_HEADROOM and self.of(address) < 4
        assert self.quota.has_rejection_headroom(address) == room
        if room:
            self.quota.take(address)
            self.there.append(address)

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        address = self.there.pop(data.draw(st.integers(0, len(self.there) - 1)))
        self.quota.release(address)

    @invariant()
    def counts(self) -> None:
        assert len(self.quota) == len(self.there)

    def teardown(self) -> None:
        """Nothing is kept about addresses without connections."""
        for address in self.there:
            self.quota.release(address)
        assert not self.quota._taken_by  # noqa: SLF001 - it must not grow with every address ever seen


TestConnectionQuota = QuotaMachine.TestCase


def test_without_a_limit_for_each_address_one_may_use_the_whole_quota() -> None:
    """As behind a proxy."""
    quota = ConnectionQuota(3, 0)
    for _ in range(3):
        assert quota.rejection("192.0.2.1") is None
        quota.take("192.0.2.1")
    assert isinstance(quota.rejection("192.0.2.1"), TooManyConnections)
    assert quota.has_rejection_headroom("192.0.2.1")


def test_an_address_of_another_family_counts_by_itself() -> None:
    """Such as a path."""
    quota = ConnectionQuota(3, 1)
    quota.take("/run/socket")
    assert isinstance(quota.rejection("/run/socket"), RateLimited)
    assert quota.rejection("") is None


def test_an_exempt_address_is_subject_to_the_total_limit_only() -> None:
    """Such as a backend, or the proxy in front of all listeners."""
    quota = ConnectionQuota(3, 1, is_exempt=lambda address: address == "10.0.0.1")
    for _ in range(3):
        assert quota.rejection("10.0.0.1") is None
        assert quota.has_rejection_headroom("10.0.0.1")
        quota.take("10.0.0.1")
    assert isinstance(quota.rejection("10.0.0.1"), TooManyConnections)
    assert quota.has_rejection_headroom("10.0.0.1")
