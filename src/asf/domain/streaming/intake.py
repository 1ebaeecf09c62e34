"""How a listener takes what it is sent, and how long one that reads slowly may seem to read nothing."""

from typing import NamedTuple

BYTES_IN_PERIOD = 60_000
"""Who reads so much in `ASF_SLOW_LISTENER_SECONDS` is never dropped: 2 kB/s by default, speech at 16 kbit/s."""

STEP_BYTES = 17 * 32 * 1024
"""How much a machine may have to read before it makes room known.

Linux gives memory back by whole packets, and joins small ones that wait: up to 17 pieces, of 32 KiB on a fast path.
"""

BUFFER_FRACTION = 16
"""As `STEP_BYTES`, the share of a large buffer: Linux keeps its window closed until so much is free."""

MAX_BUFFER_BYTES = 16 * 1024 * 1024
"""Largest receive buffer that is reckoned with."""

MAX_READING_BYTES = 2 * 1024 * 1024
"""As much is waited for that a machine has, and its program may be reading: 17 minutes, by default."""


class Intake(NamedTuple):
    """What a listener has taken on its connection.

    `acknowledged` changes whenever the listener's machine acknowledges bytes. `unread` is how many of these bytes the
    listener may not have read from its machine yet, as far as that is known. `answers` is False while the machine
    does not react to what it is sent: it may have vanished.
    """

    acknowledged: int
    unread: int
    answers: bool = True


def longest_silence(period: float, unread: int) -> float:
    """Return for how many seconds a listener that reads all the time may acknowledge nothing: at least `period`.

    A machine acknowledges in steps. `unread` bytes bound them, and the listener reads `BYTES_IN_PERIOD` in `period`.
    """
    step = max(min(unread, STEP_BYTES), min(unread, MAX_BUFFER_BYTES) // BUFFER_FRACTION)
    return _reading_seconds(period, step)


def longest_reading(period: float, unread: int) -> float:
    """Return for how many seconds a listener may read what its machine has: at least `period`.

    Its machine has acknowledged all that was sent, and so acknowledges nothing meanwhile.
    """
    return _reading_seconds(period, min(unread, MAX_READING_BYTES))


def _reading_seconds(period: float, length: int) -> float:
    return period * max(1.0, length / BYTES_IN_PERIOD)
