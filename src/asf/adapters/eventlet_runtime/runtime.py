"""The runtime on eventlet: implements the `Runtime` and `Server` ports."""

import atexit
import logging
import os
from collections.abc import Callable, Sequence

import eventlet
from eventlet import hubs, tpool

from asf.adapters.eventlet_runtime import serving
from asf.adapters.eventlet_runtime.backlog import BACKLOG
from asf.adapters.eventlet_runtime.listening import EventletListeningSocket, listen
from asf.adapters.eventlet_runtime.turns import FAREWELLS, TURNS
from asf.adapters.runtime import Timer
from asf.adapters.serving import Service

WORKER_THREADS = 40
"""Twenty for object stores, twenty for file systems that hang (four each) and for short work. They start at first
use."""

logger = logging.getLogger(__name__)


class EventletRuntime:
    """Tasks are green threads of the calling thread's event loop.

    There are as many worker threads as `EVENTLET_THREADPOOL_SIZE` says, or else `WORKER_THREADS`; other work waits
    for one of them. `patching.patch_standard_library` must have been called before.
    """

    name = "eventlet"
    checkpoint = staticmethod(TURNS.checkpoint)
    checkpoint_at_end = staticmethod(FAREWELLS.checkpoint)
    was_behind = staticmethod(BACKLOG.was_behind)

    def __init__(self) -> None:
        if "EVENTLET_THREADPOOL_SIZE" not in os.environ:
            tpool.set_num_threads(WORKER_THREADS)
        # A worker thread may wait for something that never comes: the process does not wait for it when it exits.
        atexit.unregister(tpool.killall)

    def spawn(self, work: Callable[[], object]) -> None:
        """Run `work` in a green thread of its own, as soon as the caller waits. An exception in it is logged."""
        eventlet.spawn_n(_run_logged, work)

    def pause(self, seconds: float) -> None:
        """Suspend the calling green thread for `seconds`."""
        eventlet.sleep(seconds)

    def call_later(self, seconds: float, work: Callable[[], object]) -> Timer:
        """Call `work` on the event loop after `seconds`. It must not wait."""
        timer: Timer = hubs.get_hub().schedule_call_global(seconds, work)
        return timer

    def run_in_thread(self, work: Callable[[], object], done: Callable[[], object]) -> None:
        """Run `work`, which may block, in a worker thread, and `done` in a green thread after it."""
        eventlet.spawn_n(_run_in_thread, work, done)

    def listen(self, host: str, port: int) -> list[EventletListeningSocket]:
        """Return a listening socket for each address of `host` (see `listening.listen`). Raises OSError."""
        return listen(host, port)

    def serve(
        self, listeners: Sequence[EventletListeningSocket], service: Service, on_ready: Callable[[], object]
    ) -> None:
        """Serve until SIGTERM or SIGINT arrives, shut down, and return (see `serving.serve`)."""
        serving.serve(listeners, service, on_ready)


def _run_logged(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:
        logger.exception("A task failed")


def _run_in_thread(work: Callable[[], object], done: Callable[[], object]) -> None:
    try:
        tpool.execute(work)
    except Exception:
        logger.exception("Work in a worker thread failed")
    _run_logged(done)
