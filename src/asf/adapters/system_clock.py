"""The clocks of the machine."""

import time


class SystemClock:
    """Implements the `Clock` port."""

    def now(self) -> float:
        """Return the seconds of the monotonic clock."""
        return time.monotonic()

    def timestamp(self) -> float:
        """Return seconds since the Unix epoch."""
        return time.time()
