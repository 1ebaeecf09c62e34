"""A clock to wait on, which tests replace."""

import time
from typing import Protocol


class Timing(Protocol):
    """A monotonic clock, and a way to wait on it."""

    def now(self) -> float:
        """Return seconds since an arbitrary start."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait. May yield, also for 0 seconds."""
        ...


class SystemTiming:
    """The machine's clock. Implements `Timing`."""

    def now(self) -> float:
        """Return the monotonic time."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait. Other green threads run meanwhile where the standard library is patched."""
        time.sleep(seconds)
