"""Time, as the domain asks for it: implemented by the system's clock, and by tests that turn it."""

from typing import Protocol


class Clock(Protocol):
    """Time. The only source of it in the domain."""

    def now(self) -> float:
        """Return seconds from an arbitrary start; never goes backwards. For durations and due times."""
        ...

    def timestamp(self) -> float:
        """Return seconds since the Unix epoch. For people and messages."""
        ...
