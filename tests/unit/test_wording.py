"""How benchmark figures are compared in words: a loss is never called a gain."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import report
from benchmarks.stalls import report as stalls_report
from benchmarks.wording import ABOUT_THE_SAME, TIMES_FROM, compare

ROOT = Path(__file__).parents[2]

figures = st.floats(0.001, 1e6)


@given(figures, figures)
def test_a_difference_is_named_by_its_direction_and_its_size(ours: float, theirs: float) -> None:
    """A multiple from a ratio of 1.5 on, per cent below it, and nothing within 2 %."""
    ratio = ours / theirs
    text = compare(ours, theirs)
    if text == "about the same":
        assert abs(ratio - 1) < ABOUT_THE_SAME
    elif found := re.fullmatch(r"([\d.]+)× lower", text):
        assert 1 / ratio >= TIMES_FROM
        assert float(found[1]) == pytest.approx(1 / ratio, abs=0.0501)
    elif found := re.fullmatch(r"([\d.]+)× as high", text):
        assert ratio >= TIMES_FROM
        assert float(found[1]) == pytest.approx(ratio, abs=0.0501)
    elif found := re.fullmatch(r"(\d+) % higher", text):
        assert 1 < ratio < TIMES_FROM
        assert float(found[1]) == pytest.approx(100 * (ratio - 1), abs=0.501)
        assert int(found[1]) > 0
    else:
        found = re.fullmatch(r"(\d+) % lower", text)
        assert found is not None, text
        assert 1 / TIMES_FROM < ratio < 1
        assert float(found[1]) == pytest.approx(100 * (1 - ratio), abs=0.501)
        assert int(found[1]) > 0


@pytest.mark.parametrize(
    ("ours", "theirs", "text"),
    [
        (3.65, 66.1, "18.1× lower"),
        (2.46, 2.38, "3 % higher"),
        (2.46, 1.71, "44 % higher"),
        (1.0, 1.01, "about the same"),
        (2515, 3311, "24 % lower"),
        (11856, 3311, "3.6× as high"),
    ],
)
def test_examples(ours: float, theirs: float, text: str) -> None:
    """As the benchmark shows them."""
    assert compare(ours, theirs) == text


def test_the_document_shows_the_results() -> None:
    """The comparison is what `make bench` would write from the figures that are kept."""
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    assert (
        f"<!-- comparison -->\n{report.table(results)}\n<!-- /comparison -->"
        in (ROOT / "docs" / "benchmark.md").read_text()
    )


def test_the_document_shows_how_much_others_were_delayed() -> None:
    """The table is what `make stalls` would write from the figures that are kept."""
    results = json.loads((ROOT / "benchmarks" / "stalls" / "results.json").read_text())
    shown = f"<!-- stalls -->\n{stalls_report.table(results)}\n<!-- /stalls -->"
    assert shown in (ROOT / "docs" / "benchmark.md").read_text()
