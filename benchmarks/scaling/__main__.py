"""Writes the tables of docs/scaling.md.

Usage: python -m benchmarks.scaling [--measure]

With --measure, the unit costs are measured on this machine (this needs Redis and two cores) and written to
benchmarks/scaling/units.json. The other costs are in benchmarks/results.json, which `make bench` writes. Counts come
from a simulation on every run: it is exact and takes seconds.
"""

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.scaling.model import Model
from benchmarks.scaling.report import tables

ROOT = Path(__file__).parents[2]
UNITS = Path(__file__).parent / "units.json"
RESULTS = ROOT / "benchmarks" / "results.json"
DOCUMENT = ROOT / "docs" / "scaling.md"


def main() -> None:
    """Measure if requested, and write the document."""
    parser = argparse.ArgumentParser(description="Write the tables of docs/scaling.md.")
    parser.add_argument("--measure", action="store_true", help="measure the unit costs")
    if parser.parse_args().measure:
        from benchmarks.scaling import units  # noqa: PLC0415 - needs Redis's library

        machine = {"cores": str(os.cpu_count()), "Python": platform.python_version(), "redis-py": version("redis")}
        UNITS.write_text(
            json.dumps({"machine": machine | units.machine(), "units": units.measure()}, indent=2) + "\n"
        )
    DOCUMENT.write_text(document(DOCUMENT.read_text()))


def document(text: str) -> str:
    """Return the document with its tables replaced."""
    measured: dict[str, Any] = json.loads(UNITS.read_text())
    blocks = tables(Model(json.loads(RESULTS.read_text()), measured["units"]))
    machine = "; ".join(f"{name} {value}" for name, value in measured["machine"].items())
    blocks["machine"] = f"Measured on: {machine}."
    for name, block in blocks.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, found, rest = text.partition(start)
        _, ends, after = rest.partition(end)
        if not found or not ends:
            raise SystemExit(f"{DOCUMENT} has no markers for {name}")
        text = f"{before}{start}{block}\n{end}{after}"
    return text


if __name__ == "__main__":
    main()
