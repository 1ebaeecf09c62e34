"""Runs requests to object stores in worker threads: a bounded number concurrently, with a deadline in the queue."""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from asf.adapters.object_store.failures import in_one_line, translated
from asf.domain.errors import AudioUnavailable

QUEUE_SECONDS = 10.0
"""How long a request may wait in the queue before it fails."""

logger = logging.getLogger(__name__)

RunInThread = Callable[[Callable[[], None], Callable[[], None]], None]
"""Runs `work` in a worker thread, then `done` on the event loop."""


class StoreRequest:
    """A request to the store that has the object at `url`. `run` is called in a worker thread, `finish` after it.

    `finish` is called in any case, on the event loop. `error` is then why the request failed, and `cause` the store's
    own message, for the log.
    """

    def __init__(self, url: str, requested_at: float) -> None:
        self.url = url
        self.requested_at = requested_at
        self.error: AudioUnavailable | None = None
        self.cause = ""

    @property
    def is_wanted(self) -> bool:
        """Whether anything still waits for the result."""
        return True

    def run(self) -> None:
        """Send the request and keep its result or its error. Raises nothing."""
        try:
            self.send()
        except AudioUnavailable as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - whatever the library raises, `finish` must follow
            self.error = translated(error)
            self.cause = in_one_line(error)

    def send(self) -> None:
        """Send the request, and keep its result. May raise anything."""
        raise NotImplementedError

    def finish(self) -> None:
        """Deliver the result, or the error."""
        raise NotImplementedError


class BoundedWorker:
    """Runs up to `limit` requests concurrently; further ones wait in a queue, up to `QUEUE_SECONDS`."""

    def __init__(self, run_in_thread: RunInThread, limit: int, now: Callable[[], float]) -> None:
        self._run_in_thread = run_in_thread
        self._limit = limit
        self._now = now
        self._queue: deque[StoreRequest] = deque()
        self._running = 0

    @property
    def is_full(self) -> bool:
        """Whether another request would have to wait."""
        return self._running >= self._limit

    def submit(self, request: StoreRequest) -> None:
        """Run `request`, now or as soon as another one has ended."""
        self._queue.append(request)
        self._start_queued()

    def _start_queued(self) -> None:
        while self._queue and not self.is_full:
            request = self._queue.popleft()
            if not request.is_wanted:
                request.error = AudioUnavailable("The request was cancelled.")
                request.finish()
            elif self._now() - request.requested_at > QUEUE_SECONDS:
                request.error = AudioUnavailable("The object store timed out.")
                request.finish()
            else:
                self._running += 1
                self._run_in_thread(request.run, partial(self._done, request))

    def _done(self, request: StoreRequest) -> None:
        self._running -= 1
        if request.cause:
            logger.warning("%s: %s", request.url, request.cause)
        self._start_queued()
        request.finish()
