"""What every `Clock` promises."""

import pytest

from asf.domain.clock import Clock


class ClockContract:
    """Inherit, and provide the fixture `clock`."""

    @pytest.fixture
    def clock(self) -> Clock:
        raise NotImplementedError

    def test_never_goes_backwards(self, clock: Clock) -> None:
        times = [clock.now() for _ in range(1000)]
        assert times == sorted(times)

    def test_the_timestamp_is_after_this_was_written(self, clock: Clock) -> None:
        assert clock.timestamp() > 1_700_000_000
