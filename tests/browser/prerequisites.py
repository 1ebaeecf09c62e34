"""Optional prerequisites of the tests."""

import os

import pytest


def missing(what: str, how: str) -> None:
    """Skip with one line; on CI, where all prerequisites must be installed, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing on CI: {how}")
    pytest.skip(f"{what} is missing: {how}")
