"""The rules for identifiers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.domain.identifiers import (
    RESERVED_EVENT_NAMES,
    client_id_problem,
    content_type_problem,
    event_name_problem,
    stream_id_problem,
)


@given(st.text())
def test_a_text_without_problem_is_safe_everywhere(value: str) -> None:
    """It is not blank or too long, has no control characters, and can be encoded."""
    if stream_id_problem(value) is None:
        assert value.strip()
        assert len(value) <= 255
        assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in value)
        value.encode()


@pytest.mark.parametrize("value", ["a", "strm_abcdef12345", "mit Leerzeichen", "日本", "x" * 255, "a/b?c#d"])
def test_valid_identifiers(value: str) -> None:
    """Anything a person would call an identifier."""
    assert stream_id_problem(value) is client_id_problem(value) is event_name_problem(value) is None


@pytest.mark.parametrize("value", ["", " ", "\t\n", "x" * 256, "a\0b", "a\nb", "\x7f", "\x85x", "\ud800"])
def test_invalid_identifiers(value: str) -> None:
    """Each has its reason as a sentence."""
    for problem in (stream_id_problem(value), client_id_problem(value), event_name_problem(value)):
        assert problem
        assert problem.endswith(".")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("a\nb", "It contains control characters."),
        ("\x85x", "It contains control characters."),
        ("a\ud800", "It contains characters that cannot be encoded as UTF-8."),
        ("\udfff", "It contains characters that cannot be encoded as UTF-8."),
        ("\n\ud800x", "It contains control characters."),
    ],
)
def test_the_problem_names_the_kind_of_character(value: str, problem: str) -> None:
    """A lone surrogate is not a control character."""
    assert stream_id_problem(value) == client_id_problem(value) == problem


@pytest.mark.parametrize("name", sorted(RESERVED_EVENT_NAMES))
def test_reserved_event_names(name: str) -> None:
    """They are valid client ids."""
    assert "reserved" in (event_name_problem(name) or "")
    assert client_id_problem(name) is None


@pytest.mark.parametrize("value", [".", ".."])
def test_stream_ids_that_no_url_can_name(value: str) -> None:
    """Clients and proxies take them for steps in a path. Client ids are not part of a URL."""
    assert stream_id_problem(value) == "No URL can name it."
    assert client_id_problem(value) is None
    assert stream_id_problem(f"a{value}") is stream_id_problem(f"{value} ") is None


@pytest.mark.parametrize(
    "value", ["audio/mpeg", "AUDIO/MPEG", "audio/ogg; codecs=opus", 'audio/mp4 ;codecs="mp4a.40.2"']
)
def test_media_types_of_audio(value: str) -> None:
    """In any case, with parameters."""
    assert content_type_problem(value) is None


@pytest.mark.parametrize(
    "value",
    ["", "audio/", "text/html", "audio/mpeg\n;a", "audio/mpeg\n", "audio/mpeg;a\r\nb", "audio/mpeg\x0b;a", "audio/é"],
)
def test_other_media_types(value: str) -> None:
    """Line breaks above all: a header with one cannot be sent."""
    assert content_type_problem(value)
