"""Runs all measurements in one go and writes the reports.

Usage: python -m benchmarks [--quick] [--only NAME]

Raw figures go to benchmarks/results.json, tables to docs/benchmark.md, the picture to docs/growth.svg.
The server runs on one core and the load on another: this needs two cores and an otherwise idle machine.
"""

import argparse
import json
import os
import platform
import random
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import measurements as measure
from benchmarks import plot, processes, report
from benchmarks.processes import Server
from benchmarks.workers import compare_workers

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
Run = Callable[[Path, dict[str, str]], AbstractContextManager[Server]]
AUDIO_BYTES = 48 * 1024 * 1024
PACES: dict[str, dict[str, str]] = {"128 kbit/s in real time": measure.REAL_TIME, "default pace (3.3 Mbit/s)": {}}


def main() -> None:
    """Measure, and report."""
    arguments = argparse.ArgumentParser(description="Compare ASF with its peers.")
    arguments.add_argument("--quick", action="store_true", help="shorter runs and fewer sizes, to try the tools")
    arguments.add_argument("--only", help="run one measurement and print it")
    options = arguments.parse_args()
    if len(os.sched_getaffinity(0)) <= max(processes.SERVER_CORE, processes.LOAD_CORE):
        sys.exit("Two cores are needed: one for the server, one for the load.")
    processes.build_load_tools()
    with tempfile.TemporaryDirectory() as directory:
        audio = Path(directory) / "audio.bin"
        audio.write_bytes(random.Random(1).randbytes(AUDIO_BYTES))
        steps = _steps(audio, quick=options.quick)
        if options.only:
            print(json.dumps(steps[options.only](), indent=2))
            return
        results: dict[str, Any] = {"machine": _machine()}
        for name, step in steps.items():
            print(f"{name} …", flush=True)
            results[name] = step()
    results["chunks_verified"] = int(sum(run["chunks_verified"] for run in results["cpu_per_chunk"].values()))
    if options.quick:
        print(report.table(results))
        return
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    write_reports(results)


def _steps(audio: Path, *, quick: bool) -> dict[str, Any]:
    def started_by(run: Run) -> measure.Start:
        return lambda environment: run(audio, environment)

    asf, ordinary, node = map(started_by, (processes.asf, processes.ordinary, processes.node))
    peers = {"asf": asf, "ordinary": ordinary}
    if processes.has_node():
        peers["node"] = node
    pair = {"asf": asf, "ordinary": ordinary}
    seconds = 4.0 if quick else 12.0
    many = 200 if quick else 1000
    sizes = [100, 500] if quick else [100, 500, 1000, 2000, 4000]

    def of_all(servers: dict[str, Any], function: Any, *more: Any, **options: Any) -> dict[str, Any]:
        return {name: function(server, *more, **options) for name, server in servers.items()}

    def per_listener() -> dict[str, Any]:
        figures = of_all(peers, measure.cpu_per_listener, audio, many, seconds)
        if processes.has_icecast():
            with processes.icecast(audio, measure.REAL_TIME_BYTES_PER_SECOND) as server:
                figures["icecast"] = measure.cpu_per_icecast_listener(server, many, seconds)
        return figures

    return {
        "cpu_per_chunk": lambda: of_all(peers, measure.cpu_per_chunk, audio, 100, seconds),
        "transports": lambda: {
            transport: measure.cpu_per_chunk(asf, audio, 500, seconds, transport) for transport in ("sio", "ws")
        },
        "growing": lambda: measure.growing(audio, 20 if quick else 100),
        "cpu_per_listener": per_listener,
        "cpu_per_join": lambda: measure.cpu_per_join(peers, audio, many, measure.JOINS_PER_SECOND),
        "cpu_per_join_at_saturation": lambda: measure.cpu_per_join(peers, audio, 2 * many, 0),
        # The ordinary server cannot hold this load: it is asked for a tenth of it.
        "first_chunk": lambda: {
            "asf": measure.first_chunk(asf, audio, 300, 500),
            "ordinary": measure.first_chunk(ordinary, audio, 30, 50),
        },
        "memory": lambda: of_all(pair, measure.memory_per_listener, audio, many, stalled=False),
        "memory_stalled": lambda: {"asf": measure.memory_per_listener(asf, audio, many // 2, stalled=True)},
        "relays": lambda: measure.relays(
            {
                "asf": measure.Relays(asf),
                "ordinary": measure.Relays(ordinary),
                "asf, batches of 50": measure.Relays(asf, batch=50),
                "asf, by line": measure.Relays(asf, lines=10),
            },
            seconds,
        ),
        "relay_latency": lambda: {
            "asf": measure.relay_latency(asf, audio, 500, seconds),
            "ordinary": measure.relay_latency(ordinary, audio, 50, seconds),
        },
        "workers": lambda: compare_workers(audio, 4 * many, seconds),
        "growth": lambda: {
            title: [measure.growth(audio, environment, size, 6.0) for size in sizes]
            for title, environment in PACES.items()
        },
    }


def write_reports(results: dict[str, Any]) -> None:
    """Write the tables and the picture from the raw figures."""
    comparison = report.table(results)
    plot.plot(results["growth"], ROOT / "docs" / "growth.svg")
    growth_lines = [
        "| pace | listeners | CPU, % of a core | MB/s | pump lag p99 | first chunk p99 |",
        "|---|---|---|---|---|---|",
    ]
    for title, points in results["growth"].items():
        growth_lines += [
            f"| {title} | {point['listeners']:.0f} | {100 * point['core_share']:.1f} "
            f"| {point['megabytes_per_second']:.0f} | ≤ {point['pump_lag_ms_p99']:.0f} ms "
            f"| {point['first_ms_p99']:.1f} ms |"
            for point in points
        ]
    growth_lines.append("")
    for title, points in results["growth"].items():
        found = report.knee(points)
        most = max(point["listeners"] for point in points)
        where = f"at {found:.0f} listeners" if found else f"not reached at {most:.0f} listeners"
        growth_lines.append(f"Saturation (pump lag p99 above 25 ms), {title}: {where}.")
    machine = "; ".join(f"{name} {value}" for name, value in results["machine"].items())
    _replace(ROOT / "docs" / "benchmark.md", "comparison", comparison)
    _replace(ROOT / "docs" / "benchmark.md", "workers", report.workers_table(results["workers"]))
    _replace(ROOT / "docs" / "benchmark.md", "growth", "\n".join(growth_lines))
    _replace(ROOT / "docs" / "benchmark.md", "machine", f"Measured on: {machine}.")


def _replace(path: Path, name: str, text: str) -> None:
    """Put `text` between the markers of that name."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    content, count = pattern.subn(lambda match: f"{match[1]}{text}\n{match[2]}", path.read_text())
    if count != 1:
        sys.exit(f"{path} has no markers for {name}")
    path.write_text(content)


def _machine() -> dict[str, str]:
    names = ["eventlet", "Flask-SocketIO", "python-socketio", "python-engineio"]
    return {"cores": str(os.cpu_count()), "Python": platform.python_version()} | {
        name: version(name) for name in names
    }


if __name__ == "__main__":
    main()
