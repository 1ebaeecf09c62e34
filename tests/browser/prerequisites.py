"""What the tests need and may be missing."""

import os

import pytest


def missing(what: str, how: str) -> None:
    """Skip in one line; on CI, where everything must be there, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing on CI: {how}")
    pytest.skip(f"{what} is missing: {how}")
