"""`asf serve` that writes each slow turn of its event loop to the file `BENCHMARK_TURNS`, one JSON object a line.

The server itself logs turns from a tenth of a second on; here all from `SLOW_TURN_SECONDS` on are recorded, with the
calls that they were in, and for how long they waited for a core, which is the machine's fault.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asf.adapters.eventlet_runtime.patching import patch_standard_library

patch_standard_library()

from asf.adapters.eventlet_runtime import loop_watchdog  # noqa: E402 - after patching, like everything else
from asf.entrypoints import cli  # noqa: E402

SAMPLE_SECONDS = 0.01
"""Turns that are shorter may have no calls."""


class RecordingWatchdog(loop_watchdog.LoopWatchdog):
    """A watchdog that also records."""

    def __init__(self, on_slow_turn: Callable[[float], object], thread_id: int) -> None:
        super().__init__(on_slow_turn, thread_id)
        self._schedstat = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
        self._at_start = self._times()
        self._of_turn = (0.0, 0.0)

    def around(self, do_poll: Callable[[float], Any]) -> Callable[[float], Any]:
        """Return what the class returns; measure CPU and waits of the turns in between."""

        def polled(seconds: float) -> Any:
            found = do_poll(seconds)
            self._at_start = self._times()
            return found

        measured = super().around(polled)

        def recorded(seconds: float) -> Any:
            cpu, waited = self._times()
            self._of_turn = cpu - self._at_start[0], waited - self._at_start[1]
            return measured(seconds)

        return recorded

    def _times(self) -> tuple[float, float]:
        """Return the CPU time of the loop's thread, and how long it has waited for a core, in seconds (proc(5))."""
        return time.thread_time(), int(os.pread(self._schedstat, 100, 0).split()[1]) / 1e9

    def _report(self, started: float, seconds: float, sample: Any) -> None:
        super()._report(started, seconds, sample)
        calls = sample.calls if sample is not None and sample.started == started else ""
        cpu, waited = self._of_turn  # Still: this runs in the next turn.
        turn = {"seconds": seconds, "cpu": cpu, "waited": waited, "calls": calls}
        with Path(os.environ["BENCHMARK_TURNS"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(turn) + "\n")


def main() -> None:
    """Serve."""
    setattr(loop_watchdog, "SAMPLE_SECONDS", SAMPLE_SECONDS)  # noqa: B010 - a constant, to a type checker
    setattr(loop_watchdog, "LoopWatchdog", RecordingWatchdog)  # noqa: B010 - a class, to a type checker
    cli.main(["serve"], prog_name="asf")


if __name__ == "__main__":
    main()
