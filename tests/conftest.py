"""Options of all tests, and which of them start programs."""

import ctypes
import os
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""Of malloc.h."""

# The tests talk to this machine only. So libraries need not look for a proxy in the environment either, which pytest
# changes under the threads that do.
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost"

# No time limits: a machine that is busy for a moment is not a wrong program.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", parent=settings.get_profile("default"), max_examples=20)
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# glibc would learn from the first megabytes of audio that are freed to keep such pieces for itself, in each of its
# arenas: hundreds of megabytes in the end (mallopt(3)). Other C libraries have other ways.
with suppress(AttributeError):
    _set_malloc = ctypes.CDLL(None).mallopt
    _set_malloc(M_MMAP_THRESHOLD, 1 << 20)
    _set_malloc(M_ARENA_MAX, 2)

pytest_plugins = [
    "pytester",
    "tests.support.fixtures",
    "tests.support.ledger",
    "tests.support.order",
    "tests.support.tidiness",
]

WORKERS_PER_CORE = 2
"""Tests wait for most of their time, but browsers and servers of their own take what is left."""

STARTING_FIXTURES = {
    "shared_redis",
    "persistent_redis",
    "mortal_redis",
    "sentinels",
    "swift",
    "server",
    "start_server",
}
"""Fixtures that start programs."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `make soak`."""
    group = parser.getgroup("asf")
    group.addoption("--soak", action="store_true", help="run the tests that take longer, too (marked soak)")
    group.addoption("--fuzz-seconds", type=float, default=10.0, help="how long each fuzzer goes on (default: 10)")
    group.addoption(
        "--browsers", type=Path, help="append what each browser engine plays to this file, a JSON line each"
    )
    group.addoption("--workers", metavar="N", help="start all servers with so many workers (default: one)")
    group.addoption("--ledger", type=Path, help="write what was tried and lost to this file, as JSON")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes run tests side by side where `-n auto` is asked for."""
    return WORKERS_PER_CORE * (os.cpu_count() or 1)


def pytest_configure(config: pytest.Config) -> None:
    """Let servers have several workers, if they are to."""
    from tests.support import processes  # noqa: PLC0415 - plugins import it later

    if config.getoption("--workers"):
        processes.DEFAULTS["ASF_WORKERS"] = config.getoption("--workers")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what takes long, unless it is asked for, and mark what starts programs."""
    for item in items:
        if not item.path.is_relative_to(TESTS / "unit") or STARTING_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.programs)
        if item.get_closest_marker("soak") and not config.getoption("--soak"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: make soak runs it"))
        alone = item.get_closest_marker("one_process")
        if alone and config.getoption("--workers"):
            item.add_marker(pytest.mark.skip(reason=f"of one process: {alone.args[0]}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a skip stand where it was decided: so the summary has a line for each reason, and not for each test."""
    report = yield
    if call.excinfo is not None and isinstance(report.longrepr, tuple):
        ours = [entry for entry in call.excinfo.traceback if Path(entry.path).is_relative_to(TESTS)]
        if ours:
            report.longrepr = (str(ours[-1].path), ours[-1].lineno + 1, report.longrepr[2])
    return report


@pytest.fixture
def fuzz_seconds(request: pytest.FixtureRequest) -> float:
    """Return how long a fuzzer goes on, in seconds."""
    return float(request.config.getoption("--fuzz-seconds"))
