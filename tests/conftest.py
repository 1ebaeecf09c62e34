"""Fixtures and options for all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.ledger import Ledger
from tests.support.template import close_templates

# No deadline: a machine that is busy for a moment is not a wrong program.
settings.register_profile("default", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

pytest_plugins = ["tests.support.fixtures"]
"""Fixtures that start servers."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `make soak`."""
    group = parser.getgroup("asf")
    group.addoption("--soak", action="store_true", help="run the tests that take longer, too (marked soak)")
    group.addoption("--fuzz-seconds", type=float, default=10.0, help="how long each fuzzer goes on (default: 10)")
    group.addoption("--ledger", type=Path, help="write what was tried and lost to this file, as JSON")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what takes long, unless it is asked for."""
    if not config.getoption("--soak"):
        for item in items:
            if item.get_closest_marker("soak"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: make soak runs it"))


def pytest_unconfigure() -> None:
    """End what was started for all tests."""
    close_templates()


@pytest.fixture(scope="session")
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """Return the ledger of this run. With `--ledger` it is written at the end, failed tests or not."""
    ledger = Ledger()
    yield ledger
    path: Path | None = request.config.getoption("--ledger")
    if path is not None:
        options = request.config
        ledger.write(path, soak=options.getoption("--soak"), fuzz_seconds=options.getoption("--fuzz-seconds"))


@pytest.fixture
def fuzz_seconds(request: pytest.FixtureRequest) -> float:
    """Return how long a fuzzer goes on, in seconds."""
    return float(request.config.getoption("--fuzz-seconds"))
