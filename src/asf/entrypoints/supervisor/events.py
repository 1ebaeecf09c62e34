"""The supervisor's event loop: signals, children that end, descriptors that become readable, and timers."""

import heapq
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count

Callback = Callable[[], object]


class Events:
    """Calls what was registered, one call at a time. `on_signal` and `on_child` are to be set before `handle`.

    From its creation on, signals wait for `handle`.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def __init__(self) -> None:
        self.on_signal: Mapping[int, Callback] = {}
        self.on_child: Callable[[int, int], object] = lambda _pid, _code: None
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callback]] = []
        self._numbers = count()
        self._had_terminal = _has_terminal()
        reading, writing = os.pipe()
        for end in (reading, writing):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writing)
        for number in (*self.SIGNALS, signal.SIGCHLD):
            signal.signal(number, lambda _number, _frame: None)
        self._signals = reading
        self.watch(reading, self._read_signals)

    def watch(self, descriptor: int, callback: Callback) -> None:
        """Call `callback` whenever the descriptor is readable."""
        self._selector.register(descriptor, selectors.EVENT_READ, callback)

    def unwatch(self, descriptor: int) -> None:
        """Stop that. Safe to repeat."""
        with suppress(KeyError):
            self._selector.unregister(descriptor)

    def call_later(self, seconds: float, callback: Callback) -> None:
        """Call `callback` once, after so many seconds."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), callback))

    def handle(self) -> None:
        """Wait until something happens, and make the calls for it."""
        timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
        for key, _ in self._selector.select(timeout):
            if key.fd in self._selector.get_map():
                key.data()
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def terminal_has_gone(self) -> bool:
        """Return whether this process was started in a terminal that has been closed."""
        return self._had_terminal and not _has_terminal()

    def _read_signals(self) -> None:
        with suppress(BlockingIOError):
            for number in os.read(self._signals, 4096):
                if number == signal.SIGCHLD:
                    self._reap()
                elif number in self.on_signal:
                    self.on_signal[number]()

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                self.on_child(pid, os.waitstatus_to_exitcode(status))


def _has_terminal() -> bool:
    """Return whether standard input is a terminal that is there."""
    try:
        os.tcgetpgrp(sys.__stdin__.fileno() if sys.__stdin__ is not None else -1)
    except (OSError, ValueError):
        return False
    return True
