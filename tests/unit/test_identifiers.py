"""What identifiers may look like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.domain.identifiers import RESERVED_EVENT_NAMES, client_id_problem, event_name_problem, stream_id_problem


@given(st.text())
def test_a_text_without_problem_is_safe_everywhere(value: str) -> None:
    """It has something visible, is not too long, has no control characters and can be encoded."""
    if stream_id_problem(value) is None:
        assert value.strip()
        assert len(value) <= 255
        assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in value)
        value.encode()


@pytest.mark.parametrize("value", ["a", "strm_abcdef12345", "mit Leerzeichen", "日本", "x" * 255, "a/b?c#d"])
def test_what_is_fine(value: str) -> None:
    """Any text that a person would call an identifier."""
    assert stream_id_problem(value) is client_id_problem(value) is event_name_problem(value) is None


@pytest.mark.parametrize("value", ["", " ", "\t\n", "x" * 256, "a\0b", "a\nb", "\x7f", "\x85x", "\ud800"])
def test_what_is_not(value: str) -> None:
    """Each with the reason in words."""
    for problem in (stream_id_problem(value), client_id_problem(value), event_name_problem(value)):
        assert problem
        assert problem.endswith(".")


@pytest.mark.parametrize("name", sorted(RESERVED_EVENT_NAMES))
def test_names_that_socket_io_keeps_for_itself(name: str) -> None:
    """Reserved as event names only."""
    assert "reserved" in (event_name_problem(name) or "")
    assert client_id_problem(name) is None
