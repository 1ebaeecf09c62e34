"""What a run of the tests needs of the machine, and what it may leave there: nothing.

Loaded by tests/conftest.py as a plugin of pytest. Each line that it says names what is wrong and what to do.
"""

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.bounds import STOP_SECONDS
from tests.support.template import RUN_VARIABLE, close_templates

NEEDED_BYTES = 1024 * 1024 * 1024
"""Free space that a run needs in the temporary directory."""

JUMP_SECONDS = 5.0
"""A difference between the wall clock and the monotonic one that no test explains."""

SESSION = pytest.StashKey[pytest.Session]()
CLOCKS = pytest.StashKey[float]()


def pytest_configure(config: pytest.Config) -> None:
    """Name the run. Ends it where it would fail for want of space."""
    config.stash[CLOCKS] = time.time() - time.monotonic()
    if _is_worker(config):
        return
    os.environ[RUN_VARIABLE] = uuid.uuid4().hex
    place = tempfile.gettempdir()
    free = shutil.disk_usage(place).free
    if free < NEEDED_BYTES:
        pytest.exit(
            f"{place} has {free >> 20} MiB free; the tests need {NEEDED_BYTES >> 20} MiB. "
            "Free some, or name another directory: TMPDIR=/some/directory make test",
            pytest.ExitCode.USAGE_ERROR,
        )


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember the session: its exit code is set where something is left."""
    session.config.stash[SESSION] = session


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """End what was started for all tests."""
    close_templates()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Fail the run where a process of it still runs, and tell of a clock that was set meanwhile."""
    jumped = time.time() - time.monotonic() - config.stash[CLOCKS]
    if abs(jumped) > JUMP_SECONDS:
        terminalreporter.write_line(
            f"The wall clock was set by {jumped:+.0f} s during this run: repeat it where a test of tokens or "
            "time stamps failed."
        )
    left = _left_over()
    for process in left:
        terminalreporter.write_line(f"ERROR: this run leaves a process running: {process}")
    if left:
        config.stash[SESSION].exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_worker(config: pytest.Config) -> bool:
    """Return whether this process runs tests for another one (pytest-xdist)."""
    return hasattr(config, "workerinput")


def _left_over() -> list[str]:
    """Return the processes of this run, as soon as there are none, or after a while."""
    end = time.monotonic() + STOP_SECONDS
    while (left := list(_processes())) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def _processes() -> Iterator[str]:
    """Yield the processes that this run has started, by the name of the run in their environment."""
    mark = f"{RUN_VARIABLE}={os.environ[RUN_VARIABLE]}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):  # It has ended, or is somebody else's.
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if command:  # One without is ending.
                    yield f"{entry.name} {command[:200]}"
