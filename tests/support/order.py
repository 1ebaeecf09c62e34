"""In which order tests run side by side: the longest begin first, or one that begins last is waited for alone.

Tests in one browser engine count as long, and stay together: each worker that has one of them starts that engine.

Loaded by tests/conftest.py as a plugin of pytest. pytest-xdist (`--dist worksteal`) gives each worker an equal part
of the tests, in their order, and lets a worker that is done take half of what another has left.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeVar

import pytest

T = TypeVar("T")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Spread what takes long over the workers, to the beginning of what each is given."""
    worker = getattr(config, "workerinput", None)
    if worker is None:
        return
    engines: dict[str, list[pytest.Item]] = {}
    files: dict[str, list[pytest.Item]] = {}
    others: list[pytest.Item] = []
    for item in items:
        engine = _engine(item)
        if item.get_closest_marker("skip"):
            others.append(item)
        elif engine is not None:
            engines.setdefault(engine, []).append(item)
        elif item.get_closest_marker("long"):
            files.setdefault(item.nodeid.split("::")[0], []).append(item)
        else:
            others.append(item)
    items[:] = spread([*engines.values(), *files.values()], others, worker["workercount"])


def _engine(item: pytest.Item) -> str | None:
    """Return the browser engine that a test runs in; None for no engine."""
    parameters = getattr(item, "callspec", None)
    return None if parameters is None else parameters.params.get("engine")


def spread(groups: Sequence[Sequence[T]], others: Sequence[T], workers: int) -> list[T]:
    """Return all in the order in which equal parts of it begin with a group each, as far as there are so many."""
    rest = iter(others)
    total = sum(map(len, groups)) + len(others)
    parts = [
        one
        for number, size in enumerate(_parts(total, workers))
        for one in _part(groups[number::workers], rest, size)
    ]
    return [*parts, *rest]


def _parts(total: int, workers: int) -> Iterator[int]:
    """Yield how many each worker is given."""
    for left in range(workers, 0, -1):
        yield total // left
        total -= total // left


def _part(groups: Sequence[Sequence[T]], rest: Iterator[T], size: int) -> Iterator[T]:
    for group in groups:
        yield from group
        size -= len(group)
    yield from islice(rest, max(0, size))
