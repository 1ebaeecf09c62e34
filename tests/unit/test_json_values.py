"""Strict JSON."""

import pytest

from asf.adapters.json_values import parse_json


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "1e999", "[-1e999]", "", "'a'", "[1,]"])
def test_what_only_python_reads_is_rejected(text: str) -> None:
    """Other readers would stumble over it."""
    with pytest.raises(ValueError, match=r"\S"):
        parse_json(text)


def test_the_rest_is_json() -> None:
    """Numbers keep their type."""
    assert parse_json('{"a": [1, 1.5, null, true, "ü"]}') == {"a": [1, 1.5, None, True, "ü"]}
