"""The clock: the port through which the domain reads the time."""

from typing import Protocol


class Clock(Protocol):
    """The only source of time in the domain."""

    def now(self) -> float:
        """Return monotonic seconds since an arbitrary start: for durations and due times."""
        ...

    def timestamp(self) -> float:
        """Return wall-clock seconds since the Unix epoch: for messages and logs."""
        ...
