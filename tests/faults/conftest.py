"""Fixtures of the tests of faults."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ServerProcess


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> bool:
    """Return whether there is time to repeat a fault many times."""
    return bool(request.config.getoption("--soak"))


@pytest.fixture
def failing_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Return an observed server whose parts may raise: its log has their tracebacks, and no others."""
    server = ServerProcess(
        tmp_path, {"ASF_UI_HISTORY_SIZE": "2000", "ASF_STREAM_SLEEP_INTERVAL": "0.005"}, observed=True
    )
    yield server
    assert server.stop() == 0, "".join(server.log)
    log = "".join(server.log)
    errors = [line for line in server.log if line[:1].isalpha() and "Error: " in line]
    assert all("BrokenPartError: " in line for line in errors), log
