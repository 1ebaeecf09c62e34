"""The watchdog of the event loop: measures the turns of the loop, and names in the log what blocks it."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

import eventlet
from eventlet import hubs, patcher

from asf.adapters.eventlet_runtime.backlog import BACKLOG
from asf.adapters.eventlet_runtime.precedence import PRECEDENCE
from asf.adapters.eventlet_runtime.turns import bounded_poll
from asf.adapters.log_throttle import LogThrottle

SLOW_TURN_SECONDS = 0.02
"""Turns from this length on are reported. While one lasts, all clients wait: audio at its pace hears of more."""

LOG_SECONDS = 0.1
"""Turns from this length on are logged."""

SAMPLE_SECONDS = 0.05
"""Interval at which the watchdog's thread wakes up: every turn that is logged has been seen at least once."""

ABSENT_SECONDS = 1.0
"""Times from this length on in which the process does not run at all are reported like turns, and logged: it, or the
virtual machine, is stopped or gets no CPU."""

STUCK_SECONDS = 5.0
"""A turn of this length is logged while it lasts: it may never end."""

LOG_INTERVAL_SECONDS = 10.0
"""Shortest time between two log lines, except for turns of `STUCK_SECONDS`. The metric counts every slow turn."""

MAX_FRAMES = 12
"""Calls that are named in a log line, the innermost first."""

logger = logging.getLogger(__name__)

# The watchdog is a real thread, beside the event loop: the cooperative versions would wait for the loop.
_threading = patcher.original("threading")
_sleep = patcher.original("time").sleep
_write = patcher.original("os").write


@contextmanager
def watched_loop(on_slow_turn: Callable[[float], object]) -> Iterator[None]:
    """Watch the calling thread's event loop; `on_slow_turn` is called in a task with the seconds of each slow turn.

    A turn lasts from one wait for events to the next; a time in which the process did not run counts as one. Does
    nothing on a platform whose event loop has no `do_poll`.
    """
    hub: Any = hubs.get_hub()
    if not hasattr(hub, "do_poll"):
        yield
        return
    watchdog = LoopWatchdog(on_slow_turn, _threading.get_ident())
    hub.do_poll = watchdog.around(BACKLOG.around(bounded_poll(hub, PRECEDENCE)))
    _threading.Thread(target=watchdog.watch, name="loop-watchdog", daemon=True).start()
    try:
        yield
    finally:
        watchdog.stop()
        BACKLOG.end()
        del hub.do_poll


@dataclass(frozen=True, slots=True)
class _Sample:
    """What ran in the turn that started at `started` (monotonic seconds), `seconds` after that."""

    started: float
    seconds: float
    calls: str


class LoopWatchdog:
    """Measures the turns of the event loop in thread `thread_id`. `watch` runs in a thread of its own."""

    def __init__(self, on_slow_turn: Callable[[float], object], thread_id: int) -> None:
        self._on_slow_turn = on_slow_turn
        self._thread_id = thread_id
        self._turn_started: float | None = None
        self._long_turn_ended = float("-inf")
        self._sample: _Sample | None = None
        self._absent: float | None = None  # Seconds in which the process did not run: to be reported.
        self._stopped = False
        self._slow_throttle = LogThrottle(LOG_INTERVAL_SECONDS)
        self._stuck_throttle = LogThrottle(LOG_INTERVAL_SECONDS)

    def around(self, do_poll: Callable[[float], Any]) -> Callable[[float], Any]:
        """Return a function that does what `do_poll` does, and measures the turns between its calls."""
        monotonic = time.monotonic

        def measured(seconds: float) -> Any:
            started = self._turn_started
            if started is not None:
                self._turn_started = None
                duration = monotonic() - started
                if self._absent is not None:
                    absent, self._absent = self._absent, None
                    eventlet.spawn_n(self._report_absence, absent)
                    seconds = 0.0
                if duration >= ABSENT_SECONDS:
                    self._long_turn_ended = started + duration
                if duration >= SLOW_TURN_SECONDS:
                    eventlet.spawn_n(self._report, started, duration, self._sample)
                    seconds = 0.0  # The report is made in the next turn.
            try:
                return do_poll(seconds)
            finally:
                self._turn_started = monotonic()

        return measured

    def watch(self) -> None:
        """Look at the loop until `stop`: sample what runs in a slow turn, and log it if the turn does not end."""
        awake = time.monotonic()
        while not self._stopped:
            _sleep(SAMPLE_SECONDS)
            slept_from, awake = awake, time.monotonic()
            started = self._turn_started
            if awake - slept_from - SAMPLE_SECONDS >= ABSENT_SECONDS:
                self._note_absence(slept_from, awake, started)
            if started is not None:
                self._look(started, awake - started)

    def stop(self) -> None:
        """End `watch` soon."""
        self._stopped = True

    def _note_absence(self, start: float, end: float, turn_started: float | None) -> None:
        """Let it be reported that the process did not run, unless that was in a turn, which is reported anyway."""
        is_in_turn = turn_started is not None and turn_started <= start
        if not is_in_turn and self._long_turn_ended <= start:
            self._absent = end - start - SAMPLE_SECONDS

    def _look(self, started: float, seconds: float) -> None:
        if seconds < SAMPLE_SECONDS:
            return
        known = self._sample
        if known is None or known.started != started:
            known = None
        # The last sample is from the second half of the turn: it names what took most of it.
        if known is None or seconds >= 2 * known.seconds:
            known = self._sample = _Sample(started, seconds, calls_of(self._thread_id))
        if seconds >= STUCK_SECONDS and self._stuck_throttle.permits():
            _log_from_thread(f"The event loop is blocked, for {seconds:.1f} s so far, by {known.calls}")

    def _report_absence(self, seconds: float) -> None:
        """Report that the process did not run. Runs in a task."""
        self._on_slow_turn(seconds)
        logger.warning("This process did not run for %.1f s: it was stopped, or had no CPU", seconds)

    def _report(self, started: float, seconds: float, sample: _Sample | None) -> None:
        """Report a turn that has ended, with the last sample by then. Runs in a task."""
        self._on_slow_turn(seconds)
        if seconds >= STUCK_SECONDS or (seconds >= LOG_SECONDS and self._slow_throttle.permits()):
            calls = sample.calls if sample is not None and sample.started == started else "an unknown call"
            logger.warning("The event loop was blocked for %.2f s by %s", seconds, calls)


def calls_of(thread_id: int) -> str:
    """Return the calls that the thread is in, the innermost first. Reads no file and takes no lock."""
    frame: FrameType | None = sys._current_frames().get(thread_id)  # noqa: SLF001 - documented, for this purpose
    calls: list[str] = []
    while frame is not None and len(calls) < MAX_FRAMES:
        code = frame.f_code
        file = "/".join(code.co_filename.split("/")[-2:])
        calls.append(f"{code.co_qualname} ({file}:{frame.f_lineno})")
        frame = frame.f_back
    return " < ".join(calls)


def _log_from_thread(message: str) -> None:
    """Log a warning in the format of the log, past its locks: the event loop may hold them."""
    record = logging.makeLogRecord(
        {"name": logger.name, "levelno": logging.WARNING, "levelname": "WARNING", "msg": message}
    )
    for handler in logging.getLogger().handlers:
        if not isinstance(handler, logging.StreamHandler):
            continue
        with suppress(OSError, ValueError):  # It is closed, or not a file.
            _write(handler.stream.fileno(), f"{handler.format(record)}\n".encode())
