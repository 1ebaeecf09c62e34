"""A repeated problem is logged now and then."""

from asf.adapters.log_throttle import LogThrottle


def test_one_line_per_interval_is_permitted() -> None:
    """The first one at once; each line that is permitted starts an interval."""
    now = 0.0
    throttle = LogThrottle(10.0, lambda: now)
    permitted = []
    for step in range(50):
        now = step * 0.5
        if throttle.permits():
            permitted.append(now)
    assert permitted == [0.0, 10.0, 20.0]
