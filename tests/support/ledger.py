"""What was done to the service, how often, and what was lost by it: the rows of docs/reliability.md."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One fault or bad input.

    `tried` counts how often, in `unit` (a plural, such as "kills"). `must_hold` is what was checked, as a sentence.
    `lost` counts what was missing or wrong, of whatever the sentence speaks of, as counted by the test. `measured`
    tells what else was seen, with units.
    """

    fault: str
    tried: int
    unit: str
    must_hold: str
    lost: int
    measured: str


class Ledger:
    """The entries of one run, in the order in which they were made."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def note(self, fault: str, *, tried: int, unit: str, must_hold: str, lost: int, measured: str = "") -> None:
        """Note what a test has seen; to be called when all that it checks has been checked."""
        assert tried > 0, f"{fault} was not tried at all"
        self.entries.append(Entry(fault, tried, unit, must_hold, lost, measured))

    def write(self, path: Path, *, soak: bool, fuzz_seconds: float) -> None:
        """Write the entries as JSON, and how long the run was made to be."""
        entries = [asdict(entry) for entry in self.entries]
        run = {"soak": soak, "fuzz_seconds": fuzz_seconds, "entries": entries}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(run, indent=2, ensure_ascii=False) + "\n")
