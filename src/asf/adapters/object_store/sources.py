"""Finds and opens objects."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from asf.adapters.locator_syntax import BUCKET_VARIABLES, key_problem, object_url_of
from asf.adapters.media_types import media_type_of
from asf.adapters.object_store.blocks import BlockCache
from asf.adapters.object_store.objects import HeadRequest
from asf.adapters.object_store.probe import StoreProbes
from asf.adapters.object_store.source import ObjectAudioSource
from asf.adapters.object_store.stores import RETRY_SECONDS
from asf.adapters.object_store.worker import QUEUE_SECONDS, BoundedWorker, RunInThread
from asf.domain.errors import AudioUnavailable, InvalidFilepath
from asf.domain.streams.stream import Locator, ObjectLocator

if TYPE_CHECKING:
    from obstore.store import ObjectStore

DEFAULT_CACHE_BYTES = 64 * 1024 * 1024

MAX_BLOCK_READS = 12
MAX_HEAD_REQUESTS = 8
"""Maximum numbers of blocks that are read, and of objects that are looked up, concurrently. Together they do not
exceed eventlet's worker threads, so that neither kind of request waits for the other."""

OPEN_SECONDS = 2 * RETRY_SECONDS + QUEUE_SECONDS
"""Timeout of `open`: the last attempt may start when the time for retries is nearly over."""


class ObjectAudioSources:
    """Objects in `stores`, by URL prefix such as `s3://bucket`: implements the `AudioSources` port.

    Blocks of up to `max_bytes` are cached, of all objects together. With more playback positions than blocks in the
    cache, a block is read again for nearly every batch.
    """

    def __init__(
        self,
        stores: Mapping[str, "ObjectStore"],
        run_in_thread: RunInThread,
        max_bytes: int = DEFAULT_CACHE_BYTES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stores = dict(stores)
        self._now = now
        block_worker, self._head_worker = (
            BoundedWorker(run_in_thread, limit, now, _places_of_one(stores, limit))
            for limit in (MAX_BLOCK_READS, MAX_HEAD_REQUESTS)
        )
        self._blocks = BlockCache(block_worker, max_bytes, now)
        self._head_requests: dict[str, HeadRequest] = {}
        self._probes = StoreProbes(self._stores, run_in_thread, now)

    def unreachable(self) -> dict[str, str]:
        """Return the stores that could not be reached when they were probed last, and why."""
        return self._probes.problems()

    def locate(self, filepath: str) -> Locator:
        """Return the object's URL. Nothing in it is percent-decoded. Raises `InvalidFilepath`."""
        url = object_url_of(filepath)
        if url.store not in self._stores:
            raise InvalidFilepath(f"'{url.store}' may not be read: it is not in {BUCKET_VARIABLES.get(url.scheme)}.")
        if problem := key_problem(url.key):
            raise InvalidFilepath(problem)
        return ObjectLocator(url.text)

    def content_type_of(self, locator: Locator) -> str | None:
        """Return the media type by the object's key, or None."""
        return media_type_of(locator.text, b"")

    def open(self, locator: Locator, *, growing: bool = False) -> ObjectAudioSource:
        """Look the object up; may yield. Raises `AudioUnavailable`, also for `growing`: no object grows."""
        if growing:
            raise AudioUnavailable("An object does not grow.")
        request = self._head_requests.get(locator.text) or self._request_head(locator.text)
        if not request.finished.wait(OPEN_SECONDS):
            raise AudioUnavailable("The object store timed out.")
        if request.found is None:
            raise AudioUnavailable(request.error.details if request.error else None)
        return ObjectAudioSource(request.found, self._blocks)

    def _request_head(self, text: str) -> HeadRequest:
        url = object_url_of(text)
        store = self._stores.get(url.store)
        if store is None:
            raise AudioUnavailable(f"'{url.store}' is no longer in the settings.")
        request = HeadRequest(store, text, url.key, self._now(), partial(self._finished, text))
        self._head_requests[text] = request
        self._head_worker.submit(request)
        return request

    def _finished(self, text: str) -> None:
        del self._head_requests[text]


def _places_of_one(stores: Iterable[str], places: int) -> int:
    """Return how many of the places the requests to one kind of store may have."""
    has_several = len({url.partition(":")[0] for url in stores}) > 1
    return places - places // 4 if has_several else places
