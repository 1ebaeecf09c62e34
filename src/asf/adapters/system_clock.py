"""The machine's clocks."""

import time


class SystemClock:
    """Implements the `Clock` port."""

    def now(self) -> float:
        """Return the monotonic clock's seconds."""
        return time.monotonic()

    def timestamp(self) -> float:
        """Return seconds since the Unix epoch."""
        return time.time()
