"""Quantities as text, for people."""

import time

UNITS = ("B", "kB", "MB", "GB", "TB")
STEP = 1000

MINUTE, HOUR, DAY = 60, 3600, 86400


def bytes_text(count: float) -> str:
    """Return a number of bytes, such as "1.2 MB"."""
    size, unit = float(count), 0
    while round(size) >= STEP and unit < len(UNITS) - 1:
        size, unit = size / STEP, unit + 1
    return f"{size:.1f} {UNITS[unit]}" if unit and size < 100 else f"{size:.0f} {UNITS[unit]}"  # noqa: PLR2004


def duration_text(seconds: float) -> str:
    """Return a duration in its largest unit, such as "3 min"; days with hours."""
    whole = int(max(0.0, seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def age_of(timestamp: float) -> str:
    """Return how long ago that was, in seconds since the Unix epoch."""
    return duration_text(time.time() - timestamp)


def milliseconds_text(seconds: float) -> str:
    """Return a short duration, such as "0.4 ms"."""
    milliseconds = seconds * 1000
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"  # noqa: PLR2004
