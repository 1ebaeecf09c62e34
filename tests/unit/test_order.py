"""The order of tests that run side by side."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.order import pytest_collection_modifyitems, spread

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


def item(name: str, *markers: str, **parameters: str) -> pytest.Item:
    """Return what the order looks at of a test."""
    marked: Any = SimpleNamespace(nodeid=f"{name}.py::test", callspec=SimpleNamespace(params=parameters))
    marked.get_closest_marker = lambda marker: marker in markers or None
    return cast("pytest.Item", marked)


def test_the_tests_of_a_browser_engine_stay_together() -> None:
    """Whatever files they are in; those that are skipped start no browser."""
    items = [
        item("a", engine="chromium"),
        item("a", engine="firefox"),
        item("b", "skip", engine="firefox"),
        item("c", "long"),
        item("d", engine="chromium"),
        item("d", engine="firefox"),
        item("e"),
    ]
    [a_chromium, a_firefox, skipped, long, d_chromium, d_firefox, other] = items
    config: Any = SimpleNamespace(workerinput={"workercount": 3})
    pytest_collection_modifyitems(config, items)
    assert items == [a_chromium, d_chromium, a_firefox, d_firefox, long, skipped, other]
