"""What cannot be done by a green thread without keeping all others waiting, done by a thread."""

import atexit
import logging
from collections.abc import Callable

import eventlet
from eventlet import tpool

# A thread may be waiting for something that does not come: the process does not wait for it when it ends.
atexit.unregister(tpool.killall)

logger = logging.getLogger(__name__)


def begin(work: Callable[[], None], done: Callable[[], None]) -> None:
    """Let a thread call `work`, and a green thread call `done` after it. Returns at once.

    There are as many threads as `EVENTLET_THREADPOOL_SIZE` says, 20 by default; other work waits for one of them.
    In `work` nothing may be touched that green threads wait for: no lock, no log.
    """
    eventlet.spawn_n(_run, work, done)


def _run(work: Callable[[], None], done: Callable[[], None]) -> None:
    try:
        tpool.execute(work)
    except Exception:
        logger.exception("Work in the background failed")
    done()
