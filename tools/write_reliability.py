"""Writes docs/reliability.md from the ledger of a test run.

Usage: python tools/write_reliability.py LEDGER.json
"""

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

RELIABILITY = Path(__file__).parents[1] / "docs" / "reliability.md"

TEXT = """# Reliability

Faults that the tests inject, how often, and what was lost. `make soak` writes this page from what the tests in
`tests/faults` and `tests/fuzz`, and those marked with a fault of `tests/support/faults.py`, count in one run. The
latest run: {length}, on
{machine}.

Every row is a test. If what must hold does not hold, the run fails and does not write this page.

| fault or bad input | tried | what must hold | lost | measured |
|---|---|---|---|---|
{rows}
"""


def reliability(run: dict[str, Any]) -> str:
    """Return the document about what a ledger says of a run."""
    variants = "long variants of the tests" if run["soak"] else "short variants of the tests, as in the suite"
    length = f"{variants}, {run['fuzz_seconds']:g} s per fuzzer"
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    return TEXT.format(length=length, machine=machine, rows="\n".join(map(_row, run["entries"])))


def _row(entry: dict[str, Any]) -> str:
    lost = "nothing" if entry["lost"] == 0 else f"**{entry['lost']:,}**"
    tried = f"{entry['tried']:,} {entry['unit']}"
    cells = (entry["fault"], tried, entry["must_hold"], lost, entry["measured"])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    RELIABILITY.write_text(reliability(json.loads(Path(sys.argv[1]).read_text())))
