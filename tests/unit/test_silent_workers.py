"""When the supervisor takes a worker for hung."""

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from asf.adapters.workers.seat import BEAT_SECONDS, Seat
from asf.adapters.workers.session_ids import Owner
from asf.adapters.workers.table import WorkerTable, create_file, size_of
from asf.entrypoints.supervisor.events import Events
from asf.entrypoints.supervisor.silence import LOOK_SECONDS, SILENT_LOOKS, SilenceWatch
from asf.entrypoints.supervisor.workers import WorkerProcess, Workers

SLOTS, CAPACITY = 2, 64


class Stopped(Exception):
    """Ends a task that would go on for ever."""


class Watched:
    """A watch over one worker that is ready, and what it has done. `ready_at` None: one that starts."""

    def __init__(self, table: WorkerTable, ready_at: float | None = 1.0) -> None:
        self.signals: list[int] = []
        self.pauses: list[float] = []
        self.worker = SimpleNamespace(
            slot=1, pid=4711, ready_at=ready_at, beats=0, silent_looks=0, signal=self.signals.append
        )
        workers = SimpleNamespace(by_slot={1: cast("WorkerProcess", self.worker)}, table=table)
        events = SimpleNamespace(call_later=lambda seconds, _work: self.pauses.append(seconds))
        self._watch = SilenceWatch(cast("Workers", workers), cast("Events", events))

    def look(self, times: int) -> None:
        """Look so often."""
        for _ in range(times):
            self._watch.look()


@pytest.fixture
def table() -> Iterator[WorkerTable]:
    """Return the memory of two workers."""
    descriptor = create_file(size_of(SLOTS, CAPACITY))
    yield WorkerTable(descriptor, SLOTS, CAPACITY)
    os.close(descriptor)


def beat(table: WorkerTable) -> None:
    """Let the worker give one sign of life."""

    def end(seconds: float) -> None:
        assert seconds == BEAT_SECONDS
        raise Stopped

    with pytest.raises(Stopped):
        Seat(table, Owner(1, 5)).beat(end)


def test_a_silent_worker_is_killed_once(table: WorkerTable, caplog: pytest.LogCaptureFixture) -> None:
    """After half a minute, and a line names it."""
    watched = Watched(table)
    beat(table)
    watched.look(SILENT_LOOKS)
    assert watched.signals == []
    watched.look(5)
    assert watched.signals == [signal.SIGKILL]
    (message,) = caplog.messages
    assert message == "Worker 1 (process 4711) has given no sign of life for 30 s, killing it"
    assert watched.pauses == [LOOK_SECONDS] * (SILENT_LOOKS + 5)


def test_one_sign_of_life_is_enough(table: WorkerTable) -> None:
    """However late."""
    watched = Watched(table)
    for _ in range(3):
        beat(table)
        watched.look(SILENT_LOOKS)
    assert watched.signals == []


def test_a_worker_may_take_its_time_to_start(table: WorkerTable) -> None:
    """It gives no sign of life before it is ready."""
    watched = Watched(table, ready_at=None)
    watched.look(2 * SILENT_LOOKS)
    assert watched.signals == []
