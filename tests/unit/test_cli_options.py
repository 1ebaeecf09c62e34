"""What the command line accepts as a URL and as JSON, and what it prints."""

import json
import math
import re
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.entrypoints.cli import output
from asf.entrypoints.cli.options import Json, JsonObject, ServerUrl
from asf.entrypoints.cli.output import json_line, printable
from asf.entrypoints.cli.streams import table


@pytest.mark.parametrize("text", ["http://127.0.0.1:5006", "https://asf.example/behind", "http://[::1]:80"])
def test_urls(text: str) -> None:
    """A slash at the end is removed."""
    assert ServerUrl().convert(text, None, None) == text
    assert ServerUrl().convert(text + "/", None, None) == text


@pytest.mark.parametrize("text", ["", "127.0.0.1:5006", "ftp://a", "http://", "http://a:b", "http://[", "http://a:0"])
def test_invalid_urls(text: str) -> None:
    """Are invalid usage."""
    with pytest.raises(click.BadParameter, match="Invalid URL"):
        ServerUrl().convert(text, None, None)


def test_a_url_without_a_scheme_is_completed() -> None:
    """In the message."""
    with pytest.raises(click.BadParameter, match=r"Include the scheme: http://localhost:5006$"):
        ServerUrl().convert("localhost:5006", None, None)


@pytest.mark.parametrize("text", ["", "x", "{", "NaN", "-Infinity", "1e999", "[" * 100_000, "'a'"])
def test_invalid_json(text: str) -> None:
    """Are invalid usage."""
    with pytest.raises(click.BadParameter):
        Json().convert(text, None, None)


def test_json() -> None:
    """Any value; or objects only."""
    assert Json().convert('{"a": [1.5, null, "ü"]}', None, None) == {"a": [1.5, None, "ü"]}
    assert math.isclose(Json().convert("1e300", None, None), 1e300)
    assert JsonObject().convert('{"a": 1}', None, None) == {"a": 1}
    for text in ("[]", "null", "1"):
        with pytest.raises(click.BadParameter, match="Expected a JSON object"):
            JsonObject().convert(text, None, None)


def test_a_table_is_aligned() -> None:
    """Without trailing white space."""
    assert table([("A", "LONG"), ("longer", "b"), ("", "")]) == ["A       LONG", "longer  b", ""]


@given(st.text())
def test_nothing_that_moves_the_cursor_is_printed(text: str) -> None:
    """And printable text is unchanged."""
    assert printable(text).isprintable()
    if text.isprintable():
        assert printable(text) == text


def test_control_characters_are_escaped() -> None:
    """As in Python's literals."""
    assert printable("a\x1b[2Jb\n") == "a\\x1b[2Jb\\n"


@given(st.recursive(st.text(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)))
def test_json_cannot_control_the_terminal(value: object) -> None:
    """And is the same value. Printable text stays readable."""
    line = json_line(value)
    assert line.isprintable()
    assert json.loads(line) == value
    assert json_line("Grüße 音 \x9b2J") == '"Grüße 音 \\u009b2J"'


def test_commands_print_through_one_function() -> None:
    """Which escapes: nothing else prints, except progress bars."""
    folder = Path(output.__file__).parent
    for path in folder.glob("*.py"):
        if path.name != "output.py":
            assert not re.search(r"click\.(s?echo|secho|echo_via_pager)|\bprint\(|stdout\.write", path.read_text()), (
                path
            )
