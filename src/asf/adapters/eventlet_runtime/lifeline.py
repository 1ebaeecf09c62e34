"""Ends this process when another one has ended, however that happened."""

import posix

from eventlet import patcher

LOST = 1
"""Exit code of a process whose lifeline has been cut."""

_thread = patcher.original("_thread")


def end_with(descriptor: int) -> None:
    """End this process at once when a pipe of which another process has the writing end is at its end.

    In a thread of its own: the event loop may be busy for long.
    """

    def wait() -> None:
        while posix.read(descriptor, 1):
            pass
        posix._exit(LOST)  # noqa: SLF001 - nobody is left to wait for

    _thread.start_new_thread(wait, ())
