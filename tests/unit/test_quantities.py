"""Quantities in the output of commands."""

import pytest

from asf.entrypoints.cli.quantities import bytes_text, duration_text, milliseconds_text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (123_456, "123 kB"),
        (999_600, "1.0 MB"),
        (5_000_000_000, "5.0 GB"),
        (10**18, "1000000 TB"),
    ],
)
def test_bytes(count: int, text: str) -> None:
    """In units of 1000, with three digits at most."""
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1.0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3600, "1 h 0 min"), (90_000, "1 d 1 h")],
)
def test_durations(seconds: float, text: str) -> None:
    """In the unit that matters."""
    assert duration_text(seconds) == text


def test_milliseconds() -> None:
    """Short ones with a decimal."""
    assert [milliseconds_text(one) for one in (0.0004, 0.0099, 0.35)] == ["0.4 ms", "9.9 ms", "350 ms"]
