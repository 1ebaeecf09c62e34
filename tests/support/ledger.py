"""What was done to the service, how often, and what was lost by it: the rows of docs/reliability.md.

Loaded by tests/conftest.py as a plugin of pytest: with `--ledger` a run consists of the tests of faults, and writes
its ledger at the end, failed tests or not, in the order of the tests, in whichever processes they ran.

Tests in tests/faults and tests/fuzz count for themselves (fixture `ledger`). Any other test of a fault is marked
`fault(fault, must_hold)`, by a name in tests/support/faults.py: each pass counts as one run of its row.
"""

import json
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

FOLDERS = {"faults", "fuzz"}
"""Where all tests are tests of faults."""

MARKED_UNIT = "runs"
"""What is counted of a marked test."""

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
        """Write the entries as JSON, in the order of the tests, and how long the run was made to be.

        Runs of marked tests with the same fault are one entry.
        """
        entries: list[dict[str, Any]] = []
        marked: dict[str, dict[str, Any]] = {}
        for _, entry in sorted(self.rows, key=lambda row: row[0]):
            earlier = marked.get(entry["fault"])
            if earlier is not None and entry["unit"] == MARKED_UNIT:
                earlier["tried"] += entry["tried"]
                continue
            if entry["unit"] == MARKED_UNIT:
                marked[entry["fault"]] = entry
            entries.append(entry)
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the pass of a marked test."""
    report = yield
    mark = item.get_closest_marker("fault")
    if mark is not None and call.when == "call" and report.passed:
        fault, must_hold = mark.args
        item.config.stash[LEDGER].note(fault, tried=1, unit=MARKED_UNIT, must_hold=must_hold, lost=0)
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of faults only, if a ledger is to be written."""
    if config.getoption("--ledger") is None:
        return
    others = [item for item in items if item.path.parent.name not in FOLDERS and not item.get_closest_marker("fault")]
    if len(others) < len(items):
        config.hook.pytest_deselected(items=others)
        left = set(others)
        items[:] = [item for item in items if item not in left]


def pytest_configure(config: pytest.Config) -> None:
    """Begin the ledger."""
    config.addinivalue_line(
        "markers", "fault(fault, must_hold): a row of docs/reliability.md, see tests/support/ledger.py"
    )
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
