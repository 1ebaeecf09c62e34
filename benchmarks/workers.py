"""What a second worker brings: one process and two workers on the same two cores, which the load tool shares."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measurements import HARDLY_ANY_AUDIO, WARM_UP_JOINS, Figures, checked
from benchmarks.processes import STREAM_ID, Load, Server, asf, cpu_of
from tests.support.processes import eventually

COUNTS = (1, 2)
AUDIENCES = {"cpu_us_per_chunk": 200, "cpu_us_per_chunk_of_many": 1000}
"""How many listeners chunks are sent to, by what that is called in the figures: they share what a batch and an idle
worker cost."""

START_SECONDS = 60


class Family(Server):
    """A server with all processes that it has started: its supervisor, workers and Redis."""

    def cpu(self) -> float:
        """Return the CPU time of all of them so far, in seconds."""
        return sum(cpu_of(pid) for pid in _with_descendants(self.process.pid))

    def allow(self, cores: set[int]) -> None:
        """Let all their threads run on these cores."""
        for pid in _with_descendants(self.process.pid):
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), cores)


def compare_workers(audio: Path, joins: int, seconds: float) -> dict[str, Figures]:
    """Return the figures of one process and of two workers, by their number.

    `joins_per_second` is as many as they take, for a tool without a cost: the time in which the tool had a core that
    they could have used is taken off. One process uses one core, and the tool the other one.
    """
    return {str(count): _figures(audio, count, joins, seconds) for count in COUNTS}


def _figures(audio: Path, count: int, joins: int, seconds: float) -> Figures:
    cores = os.sched_getaffinity(0)
    with _workers(audio, count, HARDLY_ANY_AUDIO) as server:
        _join(server, cores, audio, count * WARM_UP_JOINS)
        before, started = server.cpu(), time.monotonic()
        tool = _join(server, cores, audio, joins)
        elapsed, cpu = time.monotonic() - started, server.cpu() - before
    missed = tool / len(cores) if count >= len(cores) else 0.0
    chunks = {}
    for name, listeners in AUDIENCES.items():
        with _workers(audio, count, {}) as server:
            chunks[name] = _cpu_per_chunk(server, cores, audio, listeners, seconds)
    return {
        "joins_per_second": joins / (elapsed - missed),
        "joins_per_second_with_tool": joins / elapsed,
        "tool_cores": tool / elapsed,
        "server_cores": cpu / elapsed,
        "cpu_us_per_join": cpu / joins * 1e6,
        **chunks,
    }


def _cpu_per_chunk(server: Family, cores: set[int], audio: Path, listeners: int, seconds: float) -> float:
    load = Load("listeners", "sio", server.port, listeners, 100, seconds, 0, STREAM_ID, audio, cores=cores)
    load.wait_for_ramp()
    before = server.cpu()
    result = checked(load.result())
    return (server.cpu() - before) / float(result["steady_chunks"]) * 1e6


def _join(server: Family, cores: set[int], audio: Path, joins: int) -> float:
    """Let listeners join, as many as the server takes. Returns the tool's CPU time in seconds."""
    load = Load("listeners", "sio", server.port, joins, 0, 0, 0, STREAM_ID, audio, cores=cores)
    checked(load.result())
    return load.cpu


@contextmanager
def _workers(audio: Path, count: int, environment: Mapping[str, str]) -> Iterator[Family]:
    with asf(audio, {**environment, "ASF_WORKERS": str(count)}) as server:
        family = Family(server.process, server.port)
        _wait_for_workers(server.port, count)
        family.allow(os.sched_getaffinity(0))
        yield family


def _wait_for_workers(port: int, count: int) -> None:
    """Wait until all workers serve: the others start when the first one does."""
    import requests  # noqa: PLC0415

    url = f"http://127.0.0.1:{port}/asf/internal/nodes"
    eventually(lambda: len(requests.get(url, timeout=10).json()["nodes"]) >= count, START_SECONDS)


def _with_descendants(pid: int) -> list[int]:
    """Return the process and all that descend from it."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found
