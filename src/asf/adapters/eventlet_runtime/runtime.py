"""The runtime on eventlet: implements the `Runtime` and `Server` ports."""

import atexit
import logging
import os
from collections.abc import Callable, Sequence

import eventlet
from eventlet import hubs, tpool

from asf.adapters.eventlet_runtime import serving
from asf.adapters.eventlet_runtime.backlog import BACKLOG
from asf.adapters.eventlet_runtime.dedicated_thread import DedicatedThread
from asf.adapters.eventlet_runtime.hand_over import HandOver
from asf.adapters.eventlet_runtime.inbox import Inbox, end_of
from asf.adapters.eventlet_runtime.lifeline import end_with
from asf.adapters.eventlet_runtime.listening import EventletListeningSocket, adopt, listen
from asf.adapters.eventlet_runtime.raw_connection import GreenEvent
from asf.adapters.eventlet_runtime.turns import FAREWELLS, TURNS
from asf.adapters.runtime import Timer
from asf.adapters.serving import Service
from asf.adapters.workers.place import WorkerPlace
from asf.adapters.workers.seat import Seat

WORKER_THREADS = 40
"""Twenty for object stores, twenty for file systems that hang (four each) and for short work. They start before a
server is ready, elsewhere at first use."""

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
        self._hand_over: HandOver | None = None
        self._inbox: Inbox | None = None
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

    def make_event(self) -> GreenEvent:
        """Return an event that green threads can wait for."""
        return GreenEvent()

    def make_thread(self) -> DedicatedThread:
        """Return a thread of the caller's own."""
        return DedicatedThread()

    def run_in_thread(self, work: Callable[[], object], done: Callable[[], object]) -> None:
        """Run `work`, which may block, in a worker thread, and `done` in a green thread after it."""
        eventlet.spawn_n(_run_in_thread, work, done)

    def listen(self, host: str, port: int) -> list[EventletListeningSocket]:
        """Return a listening socket for each address of `host` (see `listening.listen`). Raises OSError."""
        return listen(host, port)

    def join_workers(self, place: WorkerPlace, seat: Seat) -> list[EventletListeningSocket]:
        """Let `serve` serve as one of several workers, and return their listening sockets.

        The process ends when the supervisor does.
        """
        end_with(place.lifeline)
        listeners = adopt(place.listening)
        inboxes = [end_of(sending) for sending, _ in place.inboxes]
        self._hand_over = HandOver(seat, inboxes)
        self._inbox = Inbox(seat, self._hand_over, end_of(place.inboxes[seat.me.slot][1]), listeners[0])
        return listeners

    def ask_worker(self, slot: int) -> None:
        """Ask another worker for its metrics, which is called `on_asked` there."""
        if self._hand_over is not None:
            self._hand_over.ask(slot)

    def on_asked(self, callback: Callable[[], object]) -> None:
        """Call `callback`, which must not wait, when another worker asks for the metrics of this one."""
        if self._inbox is not None:
            self._inbox.on_asked = callback

    def serve(
        self, listeners: Sequence[EventletListeningSocket], service: Service, on_ready: Callable[[], object]
    ) -> None:
        """Serve until SIGTERM or SIGINT arrives, shut down, and return (see `serving.serve`)."""
        tpool.setup()  # The library tries it once only: for lack of descriptors it could fail later, for good.
        serving.serve(listeners, service, on_ready, self._hand_over, self._inbox)


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
