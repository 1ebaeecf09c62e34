"""One page of metrics for all workers, whichever of them is asked.

Each worker writes its metrics to a file of its slot: every few seconds, and when another worker asks for it. Counts
of a worker that has ended stay in the file, and the next one in that slot begins with them. So no counter goes back.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from asf.adapters.workers.seat import Seat

WRITE_SECONDS = 10.0
"""Interval between two writes: what a worker has counted since the last one, or since somebody read the page, is lost
when it is killed. Each takes milliseconds, more than half of what an idle worker does."""

WAIT_SECONDS = 0.25
"""How long a page waits for the metrics of other workers. Those of one that is busy for longer are a little older."""

LOOK_SECONDS = 0.005
"""Interval between two looks whether they are there."""

SUMMED = {"counter", "histogram", "summary"}
"""Types of metrics that only increase: they are summed over all workers that there were."""

LOWEST = {"asf_redis_connected", "process_max_fds", "process_start_time_seconds"}
"""Gauges of which the lowest value counts, as of those that end in `CREATED`."""

CREATED = "_created"

COMMON = {"asf_build_info", "asf_catalog_streams", "asf_max_listeners"}
"""Gauges that are the same in each worker."""


class Snapshot(NamedTuple):
    """The metrics of a worker, in the text format, at a time of the monotonic clock.

    `inherited` is what the workers in its slot had counted before.
    """

    generation: int
    at: float
    own: str
    inherited: str


class SharedPage:
    """The metrics of all workers. `render_own` returns those of this one, and `ask` makes another one write its own.

    `pause` suspends the calling task, and `checkpoint` may do so in long work. The files are in `folder`.
    """

    def __init__(
        self,
        render_own: Callable[[], bytes],
        folder: Path,
        seat: Seat,
        ask: Callable[[int], object],
        pause: Callable[[float], object],
        checkpoint: Callable[[], object],
    ) -> None:
        self._render_own = render_own
        self._folder = folder
        self._seat = seat
        self._ask = ask
        self._pause = pause
        self._checkpoint = checkpoint
        before = Merged(lambda: None)
        earlier = self._read(seat.me.slot)
        if earlier is not None:
            before.add(earlier.own, is_live=False)
            before.add(earlier.inherited, is_live=False)
        self._inherited = before.render().decode()

    def render(self) -> bytes:
        """Return the metrics of all workers. May yield."""
        now = time.monotonic()
        self.write()
        others = self._seat.live_others()
        for slot in others:
            self._ask(slot)
        end = now + WAIT_SECONDS
        while not all(self._is_written(slot, now) for slot in others) and time.monotonic() < end:
            self._pause(LOOK_SECONDS)
        merged = Merged(self._checkpoint)
        for slot in range(self._seat.table.slots):
            snapshot = self._read(slot)
            if snapshot is not None:
                merged.add(snapshot.own, is_live=self._seat.is_live(slot, snapshot.generation))
                merged.add(snapshot.inherited, is_live=False)
        return merged.render()

    def write(self) -> None:
        """Write the metrics of this worker, and what was counted before in its slot."""
        # The text is complete at this time, so the time is not later.
        at = time.monotonic()
        own = self._render_own().decode()
        path = self._path(self._seat.me.slot)
        new = path.with_suffix(".new")
        head = json.dumps([self._seat.me.generation, at, len(own)])
        with suppress(OSError):  # The disk is full: those from before stay.
            new.write_text(f"{head}\n{own}{self._inherited}")
            new.replace(path)

    def run(self) -> None:
        """Write forever."""
        while True:
            self.write()
            self._pause(WRITE_SECONDS)

    def _is_written(self, slot: int, since: float) -> bool:
        snapshot = self._read(slot)
        return snapshot is not None and snapshot.at >= since

    def _read(self, slot: int) -> Snapshot | None:
        try:
            head, _, text = self._path(slot).read_text().partition("\n")
            generation, at, length = json.loads(head)
        except (OSError, ValueError):
            return None
        return Snapshot(generation, at, text[:length], text[length:])

    def _path(self, slot: int) -> Path:
        return self._folder / f"metrics-{slot}"


class Merged(Collector):
    """Metrics of several workers as one. `checkpoint` may suspend the task that adds some."""

    def __init__(self, checkpoint: Callable[[], object]) -> None:
        self._checkpoint = checkpoint
        self._families: dict[str, Metric] = {}
        self._values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}

    def add(self, text: str, *, is_live: bool) -> None:
        """Add metrics in the text format; of a worker that has ended, only those that are summed over all."""
        for family in text_string_to_metric_families(text):
            self._checkpoint()
            if is_live or family.type in SUMMED:
                self._families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                values = self._values.setdefault(family.name, {})
                for sample in family.samples:
                    key = (sample.name, tuple(sorted(sample.labels.items())))
                    values[key] = _merged(family.name, values.get(key), sample.value)

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        return self._collected()

    def render(self) -> bytes:
        """Return all of them in the text format of Prometheus."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def _collected(self) -> Iterator[Metric]:
        for name, family in self._families.items():
            self._checkpoint()
            metric = Metric(name, family.documentation, family.type)
            for (sample, labels), value in self._values[name].items():
                metric.add_sample(sample, dict(labels), value)
            yield metric


def _merged(name: str, earlier: float | None, value: float) -> float:
    if earlier is None:
        return value
    if name in COMMON:
        return max(earlier, value)
    if name in LOWEST or name.endswith(CREATED):
        return min(earlier, value)
    return earlier + value
