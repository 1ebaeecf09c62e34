"""Back-pressure for clients that send: their next message waits while they have much to read."""

from collections.abc import Callable

SILENT_SECONDS = 1.0
"""After this time in which it has read nothing, a client is not waited for any longer."""

LONGEST_SECONDS = 5.0
"""Longest wait for a client that reads slowly: its pongs, too, are behind the message that waits."""

LOOK_SECONDS = 0.01
"""Interval between looks at what waits for a client."""


class BackPressure:
    """Lets a client read, while more than `limit` waits for it, before its next message is handled.

    `pause` suspends the calling task for a number of seconds. A client that reads nothing, or too slowly, is waited
    for once, until less waits for it.
    """

    __slots__ = ("_has_given_up", "_limit", "_pause")

    def __init__(self, limit: int, pause: Callable[[float], object]) -> None:
        self._limit = limit
        self._pause = pause
        self._has_given_up = False

    def wait(self, waiting: Callable[[], int]) -> None:
        """Wait until `waiting` returns at most the limit, or the client has read nothing for `SILENT_SECONDS`.

        Waits at most `LONGEST_SECONDS`. May yield.
        """
        now_waiting = waiting()
        if now_waiting <= self._limit:
            self._has_given_up = False
            return
        total = silence = 0.0
        while now_waiting > self._limit and not self._has_given_up:
            self._pause(LOOK_SECONDS)
            before, now_waiting = now_waiting, waiting()
            total += LOOK_SECONDS
            silence = 0.0 if now_waiting < before else silence + LOOK_SECONDS
            self._has_given_up = silence >= SILENT_SECONDS or total >= LONGEST_SECONDS
