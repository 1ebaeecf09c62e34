"""How many examples a test tries that asks for more, or for fewer, than most do."""

from hypothesis import settings

USUAL = 100
"""Examples of a test that says nothing, in the profile `default`."""


def examples(usually: int) -> int:
    """Return how many examples stand for `usually` in the profile of this run: fewer in the short lane."""
    return max(1, usually * settings().max_examples // USUAL)
