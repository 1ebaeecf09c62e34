"""Optional prerequisites of the tests."""

import os
from typing import NoReturn

import pytest


def missing(what: str, how: str) -> NoReturn:
    """Skip with one line; on CI, where all prerequisites must be installed, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing on CI: {how}")
    pytest.skip(f"{what} is missing: {how}")
