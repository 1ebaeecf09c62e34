"""How locators are written."""

import pytest

from asf.adapters.locator_syntax import has_scheme, is_bucket_name, object_url_of, path_of, queue_name_of, scheme_of
from asf.domain.errors import InvalidFilepath


@pytest.mark.parametrize(
    ("filepath", "scheme", "written"),
    [
        ("/audio/one.mp3", "file", False),
        ("one:two", "file", False),
        ("FILE:///audio/one.mp3", "file", True),
        ("S3://bucket/key", "s3", True),
        ("Queue:talk", "queue", True),
        ("queue://talk", "queue", True),
        ("ftp://host/x", "ftp", True),
        ("://", "file", False),
    ],
)
def test_the_scheme(filepath: str, scheme: str, written: bool) -> None:
    """In lower case; a path has none of its own."""
    assert (scheme_of(filepath), has_scheme(filepath)) == (scheme, written)


def test_the_rest_is_taken_literally() -> None:
    """Only `file://` is percent-decoded."""
    assert path_of("file://localhost/a%20b") == "/a b"
    assert path_of("/a%20b") == "/a%20b"
    assert queue_name_of("QUEUE:a%20b") == "a%20b"
    assert object_url_of("S3://bucket/a%20b?c/d") == ("s3", "bucket", "a%20b?c/d")
    assert object_url_of("S3://bucket/a").text == "s3://bucket/a"


@pytest.mark.parametrize("filepath", ["queue:", "queue://talk", "queue:a\nb", "talk", "queue:" + "x" * 256])
def test_a_queue_needs_a_name(filepath: str) -> None:
    """One that the domain accepts."""
    with pytest.raises(InvalidFilepath):
        queue_name_of(filepath)


@pytest.mark.parametrize("name", ["", ".a", "a/b", "s3://a", "a b", "a" * 223])
def test_what_is_not_the_name_of_a_bucket(name: str) -> None:
    """Nothing that has a scheme, a slash or white space."""
    assert not is_bucket_name(name)
    assert is_bucket_name("a.B-c_1")
