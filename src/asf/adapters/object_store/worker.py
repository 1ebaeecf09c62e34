"""Runs requests to object stores in worker threads: a bounded number concurrently, with a deadline in the queue."""

import logging
from collections import Counter
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
    """Runs up to `limit` requests concurrently; further ones wait in a queue, up to `QUEUE_SECONDS`.

    The queue is first come, first served, but no object has more than half of the places while requests for others
    wait: one that is slow, or is read at many positions, does not hold up the rest. Requests to one kind of store,
    such as `s3`, never have more than `store_limit` places: one that does not answer leaves the others some.
    """

    def __init__(
        self, run_in_thread: RunInThread, limit: int, now: Callable[[], float], store_limit: int | None = None
    ) -> None:
        self._run_in_thread = run_in_thread
        self._limit = limit
        self._store_limit = limit if store_limit is None else store_limit
        self._now = now
        # The one that came first is the first one.
        self._queue: dict[StoreRequest, None] = {}
        self._running = 0
        self._running_of: Counter[str] = Counter()  # By URL, and by scheme.

    def is_full(self, url: str) -> bool:
        """Whether another request for the object at `url` would have to wait."""
        return self._running >= self._limit or self._running_of[_store_of(url)] >= self._store_limit

    def submit(self, request: StoreRequest) -> None:
        """Run `request`, now or as soon as it is its turn."""
        self._queue[request] = None
        self._start_queued()

    def cancel(self, request: StoreRequest) -> bool:
        """Remove `request` from the queue, and return whether it was there. Then it is not finished either."""
        if request not in self._queue:
            return False
        del self._queue[request]
        return True

    def _start_queued(self) -> None:
        self._expire_queued()
        while self._running < self._limit and (request := self._next()) is not None:
            del self._queue[request]
            self._count(request, 1)
            self._run_in_thread(request.run, partial(self._done, request))

    def _expire_queued(self) -> None:
        while self._queue:
            request = next(iter(self._queue))
            if self._now() - request.requested_at <= QUEUE_SECONDS:
                return
            del self._queue[request]
            request.error = AudioUnavailable("The object store timed out.")
            request.finish()

    def _next(self) -> StoreRequest | None:
        """Return the request whose turn it is, or None while none may run."""
        first = None
        for request in self._queue:
            if self._running_of[_store_of(request.url)] < self._store_limit:
                if self._running_of[request.url] < self._limit // 2:
                    return request
                first = first or request
        return first

    def _count(self, request: StoreRequest, change: int) -> None:
        self._running += change
        for key in (request.url, _store_of(request.url)):
            self._running_of[key] += change
            if not self._running_of[key]:
                del self._running_of[key]

    def _done(self, request: StoreRequest) -> None:
        self._count(request, -1)
        if request.cause:
            logger.warning("%s: %s", request.url, request.cause)
        self._start_queued()
        request.finish()


def _store_of(url: str) -> str:
    return url.partition(":")[0]
