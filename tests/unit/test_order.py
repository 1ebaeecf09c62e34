"""The order of tests that run side by side."""

from hypothesis import given
from hypothesis import strategies as st

from tests.support.order import spread

groups = st.lists(st.integers(1, 20), max_size=12)


@given(groups, st.integers(0, 500), st.integers(1, 9))
def test_every_test_runs_once_and_in_its_order(sizes: list[int], count: int, workers: int) -> None:
    """However many are long, and however many workers there are."""
    longest = [[(number, place) for place in range(size)] for number, size in enumerate(sizes)]
    others = [(-1, place) for place in range(count)]
    order = spread(longest, others, workers)
    assert sorted(order) == sorted([*others, *(one for group in longest for one in group)])
    assert [one for one in order if one[0] == -1] == others


def test_each_part_begins_with_what_is_long() -> None:
    """The workers are given equal parts."""
    order = spread([["a", "b"], ["c"], ["d"]], [str(number) for number in range(8)], 3)
    assert order == ["a", "b", "0", "1", "c", "2", "3", "4", "d", "5", "6", "7"]
