"""Which web origins may connect."""

import pytest

from asf.adapters.origins import is_own, origin_rule


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://asf.example:5006", "asf.example:5006"),
        ("https://asf.example", "asf.example"),
        ("http://asf.example", "asf.example"),
        ("https://asf.example", "asf.example:443"),
        ("http://asf.example:80", "asf.example"),
        ("http://ASF.example", "asf.EXAMPLE"),
        ("http://[::1]:5006", "[::1]:5006"),
    ],
)
def test_the_own_origin_is_that_of_the_host(origin: str, host: str) -> None:
    """Whatever the scheme; default ports may be left out."""
    assert is_own(origin, {"HTTP_HOST": host})


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.example", "asf.example"),
        ("http://asf.example:5007", "asf.example:5006"),
        ("http://asf.example:443", "asf.example"),
        ("https://asf.example:80", "asf.example"),
        ("http://asf.example.evil.example", "asf.example"),
        ("http://asf.example/", "asf.example"),
        ("capacitor://localhost", "localhost"),
        ("chrome-extension://asf", "asf"),
        ("null", "null"),
        ("asf.example", "asf.example"),
        ("http://", ""),
        ("", ""),
    ],
)
def test_no_other_origin_is_the_own_one(origin: str, host: str) -> None:
    """Another host, port or scheme, or what is no origin."""
    assert not is_own(origin, {"HTTP_HOST": host})
    assert not is_own(origin, {})


def test_listed_origins_may_connect_too() -> None:
    """They are compared by the settings."""
    rule = origin_rule({"https://app.example"}.__contains__)
    assert rule("https://app.example", {"HTTP_HOST": "asf.example"})
    assert rule("https://asf.example", {"HTTP_HOST": "asf.example"})
    assert rule(None, {"HTTP_HOST": "asf.example"})
    assert not rule("https://evil.example", {"HTTP_HOST": "asf.example"})
