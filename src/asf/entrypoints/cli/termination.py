"""SIGTERM ends commands that generate audio as Ctrl-C does, so that their streams do not stay `generating`."""

import signal
from types import FrameType


class Terminated(KeyboardInterrupt):
    """The process received SIGTERM."""


def end_on_sigterm() -> None:
    """Raise `Terminated` in the main thread on SIGTERM, from now on. Call it there."""
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
