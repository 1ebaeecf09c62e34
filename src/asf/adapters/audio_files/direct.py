"""One opened file of a local file system. What is in the page cache is read at once, the rest in a worker thread."""

import os
from collections.abc import Callable

from asf.adapters.audio_files.content import check_growth, close, identity_of, read_tail, unreadable
from asf.adapters.audio_files.page_cache import NOWAIT, PageCache
from asf.adapters.blocking_calls import BlockingCalls
from asf.adapters.media_types import sniffed_type
from asf.domain.errors import AudioChanged, AudioUnavailable
from asf.domain.streaming.audio import SNIFFED_BYTES, UNKNOWN_CONTENT_TYPE
from asf.domain.streams.stream import AudioEnding


def _never_slow(_path: str) -> bool:
    return False


class FileAudioSource:
    """One opened file: implements the `AudioSource` port.

    A growing file may only be appended to, under the same path; any other must stay as it was opened. With a
    `worker`, reads that have to wait for the disk run in its threads. Without one, and on systems that do not say
    what is in the page cache, reads wait. `close` closes the descriptor; a constructor that raises, which is OSError,
    leaves that to the caller. `is_slow` returns a value that is true while looking at a path may keep the caller
    waiting.
    """

    ending: AudioEnding | None = None

    def __init__(
        self,
        descriptor: int,
        status: os.stat_result,
        path: str,
        named_type: str | None,
        *,
        growing: bool,
        worker: BlockingCalls | None = None,
        is_slow: Callable[[str], object] = _never_slow,
    ) -> None:
        self._path = path
        self._is_slow = is_slow
        self._content_type = named_type
        self._is_sniffed = False
        self._growing = growing
        self.on_arrival: Callable[[], None] = _ignore
        self.size = status.st_size
        self.identity = identity_of(path, status)
        self._device = status.st_dev
        self._tail = read_tail(descriptor, self.size) if growing else b""
        self._descriptor = descriptor
        self._page_cache: PageCache | None = None
        if worker is not None and NOWAIT is not None:
            self._page_cache = PageCache(descriptor, worker, self._loaded)

    @property
    def content_type(self) -> str:
        """The media type by the file's name, or else by its first bytes."""
        if self._content_type is None and not self._is_sniffed and self.size:
            self._is_sniffed = not self._growing or self.size >= SNIFFED_BYTES  # No further bytes can show it.
            self._content_type = sniffed_type(self._read(0, min(self.size, SNIFFED_BYTES)))
        return self._content_type or UNKNOWN_CONTENT_TYPE

    def is_current(self) -> bool:
        """Return whether the file at the path is still this one, as it was opened."""
        if self._growing or self._descriptor < 0 or self._is_slow(self._path):
            return False
        try:
            status = os.stat(self._path)  # noqa: PTH116 - at every join
        except OSError:
            return False
        return status.st_dev == self._device and identity_of(self._path, status) == self.identity

    def read(self, offset: int, length: int) -> bytes | None:
        """Return exactly `length` bytes from `offset`, or None while the disk is read.

        Raises `AudioUnavailable`, `AudioChanged`.
        """
        if self._page_cache is not None and not self._page_cache.has(offset, length, self.size):
            return None
        return self._read(offset, length)

    def _read(self, offset: int, length: int) -> bytes:
        try:
            data = os.pread(self._descriptor, length, offset)
            status = os.fstat(self._descriptor)
            # The bytes are valid only if the file is the same after the read.
            if self._growing:
                check_growth(self._descriptor, status.st_size, self.size, self._tail)
        except OSError as error:
            raise unreadable(error) from error
        if not self._growing and identity_of(self._path, status) != self.identity:
            raise AudioChanged("The file was changed while it was streamed.")
        if len(data) < length:
            raise AudioUnavailable(f"The file ends at byte {offset + len(data)}.")
        return data

    def cancel(self, offset: int) -> None:
        """Do nothing: what the disk is asked for stays in the page cache."""

    def refresh(self) -> int:
        """Return the current length. Raises `AudioChanged`, or `AudioUnavailable` if it cannot be read."""
        self._grow(self._current_status())
        return self.size

    def measure(self) -> int:
        """Return the current length."""
        return self.refresh()

    def finalize(self) -> int:
        """Refresh for the last time, and return the length. From now on the file must not change."""
        status = self._current_status()
        self._grow(status)
        self.identity = identity_of(self._path, status)
        self._growing = False
        return self.size

    def _grow(self, status: os.stat_result) -> None:
        if status.st_size > self.size:
            try:
                self._tail = read_tail(self._descriptor, status.st_size)
            except OSError as error:
                raise unreadable(error) from error
            self.size = status.st_size

    def _current_status(self) -> os.stat_result:
        try:
            status = os.fstat(self._descriptor)
            check_growth(self._descriptor, status.st_size, self.size, self._tail)
        except OSError as error:
            raise unreadable(error) from error
        try:
            named = os.stat(self._path)  # noqa: PTH116 - fifty times a second
        except OSError:
            named = None
        if named is None or (named.st_dev, named.st_ino) != (status.st_dev, status.st_ino):
            raise AudioChanged("The file was deleted, moved or replaced while it was growing.")
        return status

    def close(self) -> None:
        """Close the file. Safe to repeat."""
        self.on_arrival = _ignore
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        if self._page_cache is not None:
            self._page_cache.close()
        else:
            close(descriptor)

    def _loaded(self) -> None:
        self.on_arrival()


def _ignore() -> None:
    pass
