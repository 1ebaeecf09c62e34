"""A server that is killed, and comes back at its address with its database."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.processes import ServerProcess


class MortalServer:
    """A server process, and those that take its place. `kills` counts them, `longest_restart` is in seconds."""

    def __init__(self, directory: Path, environment: Mapping[str, str] | None = None) -> None:
        self._directory = directory
        self._environment = {"ASF_DATABASE": str(directory / "catalog.sqlite3"), **(environment or {})}
        self.process = ServerProcess(directory, self._environment)
        self._environment["ASF_PORT"] = str(self.process.port)
        self.kills = 0
        self.longest_restart = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        code = self.process.stop()
        if error is None:
            assert code == 0, "".join(self.process.log)
            self._check_log()

    def kill_and_restart(self) -> None:
        """End the process by SIGKILL, and start another one in its place."""
        self.process.kill()
        self._check_log()
        self.kills += 1
        start = time.monotonic()
        self.process = ServerProcess(self._directory, self._environment)
        self.longest_restart = max(self.longest_restart, time.monotonic() - start)

    def _check_log(self) -> None:
        assert not any("Traceback (" in line for line in self.process.log), "".join(self.process.log)
