"""A client's messages wait while it has much to read."""

import pytest

from asf.adapters.websocket.back_pressure import LONGEST_SECONDS, SILENT_SECONDS, BackPressure


class Client:
    """Reads `rate` of what waits for it in a second."""

    def __init__(self, waiting: int, rate: float) -> None:
        self.waiting = float(waiting)
        self.rate = rate
        self.paused = 0.0
        self.back_pressure = BackPressure(100, self.pause)

    def pause(self, seconds: float) -> None:
        self.paused += seconds
        self.waiting = max(0, self.waiting - self.rate * seconds)

    def wait(self) -> float:
        before = self.paused
        self.back_pressure.wait(lambda: int(self.waiting))
        return self.paused - before


def test_a_client_that_reads_is_waited_for() -> None:
    """Until it has read enough; one for which little waits is not."""
    assert Client(100, rate=0).wait() == 0
    client = Client(1000, rate=900)
    assert client.wait() == pytest.approx(1.0, abs=0.05)
    assert client.waiting <= 101


@pytest.mark.parametrize(("rate", "longest"), [(0, SILENT_SECONDS), (100, LONGEST_SECONDS)])
def test_a_client_that_reads_nothing_or_slowly_is_waited_for_once(rate: float, longest: float) -> None:
    """Until it has read enough after all."""
    client = Client(1000, rate)
    assert client.wait() == pytest.approx(longest, abs=0.05)
    assert client.wait() == 0
    client.waiting = 100
    assert client.wait() == 0
    client.waiting = 1000
    assert client.wait() == pytest.approx(longest, abs=0.05)
