"""Which parts of a local file can be read without waiting for its disk."""

import os
import time
from collections.abc import Callable
from functools import partial

from asf.adapters.audio_files.calls import FAILURE_SECONDS, READ_SECONDS
from asf.adapters.audio_files.content import close
from asf.adapters.blocking_calls import BlockingCall, BlockingCalls
from asf.domain.errors import AsfError

WINDOW_BYTES = 512 * 1024
"""What is looked up, and read from the disk, at once. Smaller windows would cost more lookups for the same bytes."""

KNOWN_SECONDS = 10.0
"""How long a window counts as cached after it was seen in the page cache. Later, the kernel may have evicted it."""

MAX_WINDOWS = 256
"""Maximum windows of a file that are remembered; the oldest is dropped first."""

NOWAIT = getattr(os, "RWF_NOWAIT", None)
"""Of preadv2(2): fail instead of waiting for the disk. Only Linux has it."""


class PageCache:
    """The windows of one opened file that are in the page cache. Others are read in the threads of `worker`.

    Owns the descriptor: `close` closes it as soon as no thread reads from it. A file system that cannot say what it
    has in memory (tmpfs) counts as cached.
    """

    def __init__(
        self,
        descriptor: int,
        worker: BlockingCalls,
        on_load: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._descriptor = descriptor
        self._worker = worker
        self._on_load = on_load
        self._now = now
        self._cached: dict[int, float] = {}
        self._failed: dict[int, tuple[AsfError, float]] = {}
        self._loading: set[int] = set()
        self._calls = 0
        self._closed = False

    def has(self, offset: int, length: int, size: int) -> bool:
        """Return whether `length` bytes from `offset` can be read at once. If not, they are read in a thread.

        `size` is that of the file. `on_load` is called when a read has ended, successfully or not. Raises
        `AudioUnavailable` for a second after the disk has failed, or has not answered for `READ_SECONDS`.
        """
        now = self._now()
        first, last = offset // WINDOW_BYTES, (offset + length - 1) // WINDOW_BYTES
        if first == last:
            return self._has_window(first, now, size)
        return all(self._has_window(window, now, size) for window in range(first, last + 1))

    def _has_window(self, window: int, now: float, size: int) -> bool:
        if self._cached.get(window, 0.0) > now:
            return True
        if (failed := self._failed.get(window)) is not None:
            error, until = failed
            if now < until:
                raise error.with_traceback(None)
            del self._failed[window]
        if window in self._loading:
            return False
        if self._is_cached(window, size):
            self._remember(window, now)
            return True
        self._loading.add(window)
        self._calls += 1
        work = partial(os.pread, self._descriptor, WINDOW_BYTES, window * WINDOW_BYTES)
        self._worker.submit(work, partial(self._loaded, window), READ_SECONDS)
        return False

    def _is_cached(self, window: int, size: int) -> bool:
        """Look at the first and the last byte: the kernel reads files in order, so what is between them is cached."""
        start, stop = window * WINDOW_BYTES, min((window + 1) * WINDOW_BYTES, size)
        byte = bytearray(1)
        try:
            return all(os.preadv(self._descriptor, [byte], offset, NOWAIT or 0) for offset in (start, stop - 1))
        except BlockingIOError:
            return False
        except OSError:  # It cannot tell, or reading will report what is wrong.
            return True

    def _remember(self, window: int, now: float) -> None:
        self._cached[window] = now + KNOWN_SECONDS
        while len(self._cached) > MAX_WINDOWS:
            del self._cached[next(iter(self._cached))]

    def _loaded(self, window: int, call: BlockingCall[bytes]) -> None:
        if call.returned:
            self._calls -= 1
            if self._closed and not self._calls:
                close(self._descriptor)
        if self._closed or (call.returned and call.late):
            return
        self._loading.discard(window)
        try:
            call.outcome()
            self._remember(window, self._now())
        except AsfError as error:
            self._failed[window] = (error, self._now() + FAILURE_SECONDS)
        self._on_load()

    def close(self) -> None:
        """Close the descriptor, or let the thread that uses it be the last to do so. Call it once."""
        self._closed = True
        if not self._calls:
            close(self._descriptor)
