"""Signals that stop the process."""

import logging
import signal
from collections.abc import Callable, Iterable

import eventlet
from eventlet.green import os

INIT_PID = 1
"""Id of the first process of a container. The kernel drops signals that it has no handler for."""

SIGNAL_EXIT = 128
"""Added to the number of a signal for the exit code of a process that it has ended, as in shells."""

logger = logging.getLogger(__name__)


def call_on_signals(signals: Iterable[signal.Signals], callback: Callable[[], object]) -> None:
    """Call `callback` in a green thread at the first of `signals`; a second one ends the process as usual.

    A signal does not wake the event loop by itself, but a byte in a pipe that the loop watches does.
    """
    reader, writer = os.pipe()  # pipe2(2) would need one call instead of three, but not every system has it.
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    as_usual = _exit_at_once if os.getpid() == INIT_PID else signal.SIG_DFL

    def on_signal(_number: int, _frame: object) -> None:
        for handled in signals:
            signal.signal(handled, as_usual)

    def wait_for_signal() -> None:
        number = os.read(reader, 1)[0]
        logger.info("%s received, stopping", signal.Signals(number).name)
        callback()

    for number in signals:
        signal.signal(number, on_signal)
    signal.set_wakeup_fd(writer)
    eventlet.spawn(wait_for_signal)


def _exit_at_once(number: int, _frame: object) -> None:
    os._exit(SIGNAL_EXIT + number)  # noqa: SLF001 - as documented, without cleaning up
