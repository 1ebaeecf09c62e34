"""The clock: the port through which the domain reads the time."""

from typing import Protocol


class Clock(Protocol):
    """The only source of time in the domain."""

    def now(self) -> float:
        """Return seconds since an arbitrary start, monotonic: for durations and due times."""
        ...

    def timestamp(self) -> float:
        """Return seconds since the Unix epoch, wall-clock time: for messages and logs."""
        ...
