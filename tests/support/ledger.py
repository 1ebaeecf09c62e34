"""What was done to the service, how often, and what was lost by it: the rows of docs/reliability.md.

Loaded by tests/conftest.py as a plugin of pytest: with `--ledger` a run writes its ledger at the end, failed tests or
not, in the order of the tests, in whichever processes they ran.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

WORKER_KEY = "ledger"
"""Under which name a worker of pytest-xdist hands its ledger over."""


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


def times(number: int) -> str:
    """Return how often something happened, in words."""
    return "once" if number == 1 else f"{number} times"


class Ledger:
    """The entries of one run. `place` is the number of the test that writes, in the order of the suite."""

    def __init__(self) -> None:
        self.place = 0
        self.rows: list[tuple[int, dict[str, Any]]] = []

    def note(self, fault: str, *, tried: int, unit: str, must_hold: str, lost: int, measured: str = "") -> None:
        """Note what a test has seen; to be called when all that it checks has been checked."""
        assert tried > 0, f"{fault} was not tried at all"
        self.rows.append((self.place, asdict(Entry(fault, tried, unit, must_hold, lost, measured))))

    def write(self, path: Path, *, soak: bool, fuzz_seconds: float) -> None:
        """Write the entries as JSON, in the order of the tests, and how long the run was made to be."""
        entries = [entry for _, entry in sorted(self.rows, key=lambda row: row[0])]
        run = {"soak": soak, "fuzz_seconds": fuzz_seconds, "entries": entries}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(run, indent=2, ensure_ascii=False) + "\n")


LEDGER = pytest.StashKey[Ledger]()


@pytest.fixture(scope="session")
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """Return the ledger of this run."""
    return request.config.stash[LEDGER]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Open the ledger at the place of the test."""
    item.config.stash[LEDGER].place = item.session.items.index(item)


def pytest_configure(config: pytest.Config) -> None:
    """Begin the ledger."""
    config.stash[LEDGER] = Ledger()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the ledger over to the process that runs this worker, or write it."""
    options, ledger = session.config.option, session.config.stash[LEDGER]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[WORKER_KEY] = json.dumps(ledger.rows)
    elif options.ledger is not None:
        ledger.write(options.ledger, soak=options.soak, fuzz_seconds=options.fuzz_seconds)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker has noted. One that has crashed has handed nothing over."""
    rows = json.loads(getattr(node, "workeroutput", {}).get(WORKER_KEY, "[]"))
    node.config.stash[LEDGER].rows += [(place, entry) for place, entry in rows]
