"""How many machines how many listeners need, and that docs/scaling.md says what comes of it."""

import gc
import json
from collections.abc import Iterator
from functools import cache

import pytest

from benchmarks.scaling.__main__ import DOCUMENT, RESULTS, UNITS, document
from benchmarks.scaling.model import Assumptions, Model
from benchmarks.scaling.report import UNIT_NAMES


@pytest.fixture(autouse=True)
def _collect() -> Iterator[None]:
    """Give the memory of a simulation back: its parts know each other."""
    yield
    gc.collect()


@cache
def a_model(**assumptions: float) -> Model:
    """Return the model of the checked-in figures."""
    units = json.loads(UNITS.read_text())["units"]
    return Model(json.loads(RESULTS.read_text()), units, Assumptions(**assumptions))  # type: ignore[arg-type]


class TestModel:
    """What is worked out of it holds together."""

    def test_all_that_was_measured_is_shown(self) -> None:
        """And nothing else is asked for."""
        assert set(json.loads(UNITS.read_text())["units"]) == set(UNIT_NAMES)

    def test_servers_are_enough(self) -> None:
        """For everybody, when a machine is gone, below each bound."""
        model = a_model()
        for listeners in (1, 10_000, 123_456, 10_000_000):
            machines, nodes = model.machines(listeners), model.nodes(listeners)
            assert nodes % machines == 0
            assert nodes // machines <= model.nodes_per_machine
            assert (nodes - nodes // machines) * model.node_holds >= listeners
        assert model.node_holds <= min(model.bounds(model.in_browsers).values())

    def test_a_cell_has_one_redis_that_is_enough(self) -> None:
        """Its core, its connections and the clients that it remembers."""
        model = a_model()
        loads = {limit.name: limit.load for limit in model.limits(model.cell_listeners) if limit.remedy == "cells"}
        assert len(loads) == 3
        assert max(loads.values()) <= 1

    def test_assumptions_count(self) -> None:
        """Half the time for a release is twice the joins; half the network is half the listeners."""
        model, other = a_model(), a_model(release_seconds=30.0, machine_gbit=5.0)
        assert other.joins(1000, release=True) == 2 * model.joins(1000, release=True)
        bound, other_bound = (one.bounds(one.without_window)["network"] for one in (model, other))
        assert other_bound == pytest.approx(bound / 2)


@pytest.mark.long
def test_the_document_says_what_the_tool_works_out() -> None:
    """`make scaling` would change nothing."""
    text = DOCUMENT.read_text()
    assert document(text) == text
