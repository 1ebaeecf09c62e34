"""Time that passes at once: events in their order, and code that waits without anybody waiting for it."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from greenlet import getcurrent, greenlet

EPOCH = 1_700_000_000.0


class VirtualTime:
    """A `Clock` and an event loop in virtual time. Actions due at the same moment run in order of request.

    Each action runs in its own greenlet, so that code of the domain may yield in the middle of a call, as with green
    threads.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._numbers = count()
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._loop: greenlet | None = None

    def now(self) -> float:
        """Return the seconds that have passed."""
        return self._now

    def timestamp(self) -> float:
        """Return the seconds since 1970, as it were."""
        return EPOCH + self._now

    def at(self, time: float, action: Callable[[], object]) -> None:
        """Run `action` at `time`, or now if that is past."""
        heappush(self._events, (max(time, self._now), next(self._numbers), lambda: greenlet(action).switch()))

    def wait(self, seconds: float) -> None:
        """Let others run for so many seconds. Only for code that an action runs."""
        assert self._loop is not None
        assert getcurrent() is not self._loop
        heappush(self._events, (self._now + seconds, next(self._numbers), getcurrent().switch))
        self._loop.switch()

    def run(self, until: float) -> None:
        """Let time pass to `until`."""
        self._loop = getcurrent()
        while self._events and self._events[0][0] <= until:
            self._now, _, action = heappop(self._events)
            action()
        self._now = until


class OneAtATime:
    """What does one thing after the other, such as a core: `busy` is for how many seconds it did."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self.free_at = 0.0
        self.busy = 0.0

    def take(self, seconds: float) -> None:
        """Put so much work behind what there is, without waiting for it."""
        self.free_at = max(self.free_at, self._time.now()) + seconds
        self.busy += seconds

    def use(self, seconds: float) -> None:
        """Wait until it is done with what there is, and with so much more."""
        self.take(seconds)
        self._time.wait(self.free_at - self._time.now())
