"""When UI updates are sent by line, and when each has a request of its own."""

from collections import deque

from asf.backoff import Backoff

FAST_UPDATES = 10
FAST_SECONDS = 1.0
"""Updates are fast when so many were sent in that time: then one request for all of them is worth its connection."""

IDLE_SECONDS = 15.0
"""A request without updates for so long is ended: shorter than the timeouts of servers and proxies."""

FIRST_ANSWER_SECONDS = 3.0
"""Longest wait for the first answer. A proxy that passes a request on when it has all of it lets none through."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
"""Time without lines after a request in which nothing was answered, and after those that follow it."""

UNKNOWN_SECONDS = 600.0
"""Time without lines after a server has shown that it does not know them, or a proxy that it passes none on."""


class LinePace:
    """Decides for one server. Times are those of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=FAST_UPDATES)
        self._backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, jitter=0)
        self._not_before = 0.0
        self.is_known = False
        """Whether the server has shown that it knows lines."""

    def note(self, now: float) -> None:
        """Record that an update is sent."""
        self._times.append(now)

    def is_fast(self, now: float) -> bool:
        """Return whether to send by line."""
        times = self._times
        return len(times) == FAST_UPDATES and now - times[0] <= FAST_SECONDS and now >= self._not_before

    def probed(self, status: int, now: float, *, is_known: bool) -> None:
        """Record the response to a request with one line."""
        self.is_known = is_known
        if is_known:
            return
        if 400 <= status < 500 and status != 429:  # noqa: PLR2004 - statuses of HTTP: the client's, and its hurry
            self.kept_back(now)
        else:
            self.failed(now)

    def failed(self, now: float) -> None:
        """Record that a request ended before anything was answered, or that the server failed."""
        self._not_before = now + self._backoff.next_pause()

    def kept_back(self, now: float) -> None:
        """Record that nothing was answered in `FIRST_ANSWER_SECONDS`."""
        self._not_before = now + UNKNOWN_SECONDS

    def answered(self) -> None:
        """Record that lines are answered."""
        self._backoff.reset()
