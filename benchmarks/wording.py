"""How two figures are compared in words. A loss is called a loss."""

ABOUT_THE_SAME = 0.02
"""Figures that differ by less than this share are called about the same: two runs differ by as much."""

TIMES_FROM = 1.5
"""From this ratio on a difference is given as a multiple, below it in per cent."""


def compare(ours: float, theirs: float) -> str:
    """Return how `ours` differs from `theirs`. Both are above 0."""
    ratio = ours / theirs
    if abs(ratio - 1) < ABOUT_THE_SAME:
        return "about the same"
    if ratio >= TIMES_FROM:
        return f"{ratio:.1f}× as high"
    if ratio > 1:
        return f"{100 * (ratio - 1):.0f} % higher"
    if 1 / ratio >= TIMES_FROM:
        return f"{1 / ratio:.1f}× lower"
    return f"{100 * (1 - ratio):.0f} % lower"
