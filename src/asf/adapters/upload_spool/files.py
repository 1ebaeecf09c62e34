"""Uploaded audio in the files of one directory: implements the `UploadSpool` port.

The length of a file is the offset of its upload; nothing else records it. Every write is at an explicit offset, and
only if the file ends there: a writer that has not noticed that another one has taken over, on another server perhaps,
cannot put its bytes behind those of the other. Should both check at the same moment, they write to the same offset
what the same sender has sent twice.
"""

import os
import posix
import secrets
import stat
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar
from zlib import crc32

from asf.adapters.blocking_calls import CALL_SECONDS, BlockingCalls
from asf.adapters.runtime import Runtime
from asf.adapters.upload_spool.failures import error_of, translate
from asf.domain.errors import StorageFull, UploadNotFound, UploadOffsetMismatch
from asf.domain.streams.stream import AudioEnding, Locator, StreamState, UploadLocator
from asf.domain.uploads.ports import StoredUpload

T = TypeVar("T")

SUFFIX = ".audio"
"""Of all files here. It suggests no media type: that is as declared, or else by content."""

GATHER_SECONDS = 0.004
"""For how long short pieces of live audio are gathered before they are written together."""

LIVE_THREADS = 4
"""Threads that write live audio."""

BULK_BYTES = 16 * 1024
"""Pieces from this size on are written at once, and beside the others: their senders are faster than live."""

SYNC_SECONDS = 300.0
"""How long the disk may take to store a file that has just been written."""

TOKEN_BYTES = 12
"""Random bytes in a name."""


class FileUploadSpool:
    """Files in `directory`, which is created if it is missing, for the server's user only. At most `total_bytes`.

    `owner` is a part of the names: what other servers have in the directory is left alone. It has no slash.
    """

    def __init__(self, directory: Path, owner: str, total_bytes: int, runtime: Runtime) -> None:
        self.directory = Path(os.path.abspath(directory))  # noqa: PTH100 - resolves no links, and asks no file system
        self.used_bytes = 0
        self._prefix = f"{owner}."
        self._total_bytes = total_bytes
        self._threads = _Threads(runtime)

    def owns(self, locator: Locator) -> bool:
        """Return whether the audio is in a directory of uploads."""
        return isinstance(locator, UploadLocator)

    def path_of(self, locator: Locator) -> Path:
        """Return the path of a file. Raises `UploadNotFound` for a name that is not one of a file here."""
        name = locator.name if isinstance(locator, UploadLocator) else ""
        if not name.endswith(SUFFIX) or "/" in name or "\0" in name:
            raise UploadNotFound
        return self.directory / name

    def create(self) -> Locator:
        """Create an empty file. Raises `StorageFull` or `UploadUnavailable`."""
        if self.used_bytes >= self._total_bytes:
            raise self._full()
        locator = UploadLocator(f"{self._prefix}{secrets.token_hex(TOKEN_BYTES)}{SUFFIX}")
        self._threads.others.run(partial(_create, self.directory, self.path_of(locator)))
        return locator

    def open(self, locator: Locator) -> "SpoolFile":
        """Open a file for a writer. Raises `UploadNotFound` or `UploadUnavailable`."""
        descriptor = self._threads.others.run(partial(_open, self.path_of(locator)))
        return SpoolFile(self, self._threads, self._threads.live_of(locator), descriptor)

    def find(self, locator: Locator) -> StoredUpload:
        """Return what is known of a file. Raises `UploadNotFound` or `UploadUnavailable`."""
        live = self._threads.live_of(locator)
        status = self._threads.run_after_appends(live, partial(os.stat, self.path_of(locator)))
        return StoredUpload(locator, status.st_size, status.st_mtime)

    def delete(self, locator: Locator) -> None:
        """Delete a file. Raises `UploadUnavailable`."""
        try:
            self.used_bytes -= self._threads.others.run(partial(_delete, self.path_of(locator)))
        except UploadNotFound:
            return

    def stored(self) -> Collection[StoredUpload]:
        """Return all files of this owner. Raises `UploadUnavailable`."""
        stored = self._threads.others.run(partial(_scan, self.directory, self._prefix))
        self.used_bytes = sum(upload.size for upload in stored)
        return stored

    def reserve(self, offset: int, byte_count: int) -> None:
        """Count bytes that are about to be written behind byte `offset`. Raises `StorageFull`."""
        if self.used_bytes + byte_count > self._total_bytes:
            raise self._full(offset)
        self.used_bytes += byte_count

    def release(self, byte_count: int) -> None:
        """Count bytes no longer that were not written."""
        self.used_bytes -= byte_count

    def _full(self, offset: int | None = None) -> StorageFull:
        return StorageFull(f"All uploads together have the {self._total_bytes} bytes that are allowed.", offset)


class SpoolFile:
    """One opened file: implements the `UploadFile` port. `close` closes the descriptor."""

    def __init__(self, spool: FileUploadSpool, threads: "_Threads", live: BlockingCalls, descriptor: int) -> None:
        self._spool = spool
        self._threads = threads
        self._live = live
        self._descriptor = descriptor
        # What the latest call runs in. One that was not waited for any more may still use the descriptor.
        self._latest = threads.others

    def size(self) -> int:
        """Return the length. Raises `UploadNotFound` or `UploadUnavailable`."""
        self._latest = self._live
        return self._threads.run_after_appends(self._live, partial(_size, self._descriptor))

    def append(self, offset: int, data: bytes) -> int:
        """Append `data` at `offset`, where the file must end, and return its new length."""
        self._spool.reserve(offset, len(data))  # Others may append meanwhile.
        self._latest = self._live if len(data) < BULK_BYTES else self._threads.bulk
        size = offset
        try:
            size = self._latest.run(partial(_append, self._descriptor, offset, data))
        except StorageFull as error:
            size = offset if error.offset is None else error.offset
            raise
        finally:
            self._spool.release(offset + len(data) - size)
        return size

    def finish(self, ending: AudioEnding) -> None:
        """Write complete audio to the disk. The catalog has the ending."""
        if ending.state is StreamState.COMPLETE:
            self._latest = self._threads.syncs
            self._latest.run(partial(os.fsync, self._descriptor))

    def close(self) -> None:
        """Close the descriptor, once, after the calls that have begun; without waiting for that."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            self._latest.submit(partial(os.close, descriptor))


class _Threads:
    """The threads of a spool: what may take long keeps no bytes of live audio waiting.

    There are several for live audio: one file may have to wait for the disk while others can be written.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._live = [_in_thread(runtime, gather_seconds=GATHER_SECONDS) for _ in range(LIVE_THREADS)]
        self.bulk = _in_thread(runtime)
        self.syncs = _in_thread(runtime, seconds=SYNC_SECONDS)
        self.others = _in_thread(runtime)

    def live_of(self, locator: Locator) -> BlockingCalls:
        """Return the thread for the live audio of a file: the same one for all its writers."""
        return self._live[crc32(locator.text.encode()) % LIVE_THREADS]

    def run_after_appends(self, live: BlockingCalls, work: Callable[[], T]) -> T:
        """Run `work` after the appends that have begun to a file whose live audio has the thread `live`."""
        self.bulk.run(_nothing)
        return live.run(work)


def _in_thread(runtime: Runtime, gather_seconds: float = 0.0, seconds: float = CALL_SECONDS) -> BlockingCalls:
    thread = runtime.make_thread()
    return BlockingCalls(runtime, translate, thread=thread, gather_seconds=gather_seconds, seconds=seconds)


def _create(directory: Path, path: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(_open(path, os.O_CREAT | os.O_EXCL))


def _open(path: Path, flags: int = 0) -> int:
    # Not `os.open`: where the standard library is patched, that makes an event loop for each worker thread.
    return posix.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)


def _delete(path: Path) -> int:
    """Delete a file, and return how many bytes it had."""
    size = path.lstat().st_size
    path.unlink()
    return size


def _scan(directory: Path, prefix: str) -> list[StoredUpload]:
    try:
        paths = [path for path in directory.iterdir() if path.name.startswith(prefix) and path.suffix == SUFFIX]
    except FileNotFoundError:  # Nothing was uploaded yet.
        return []
    found = []
    for path in paths:
        with suppress(FileNotFoundError):  # It was deleted meanwhile.
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                found.append(StoredUpload(UploadLocator(path.name), status.st_size, status.st_mtime))
    return found


def _size(descriptor: int) -> int:
    status = os.fstat(descriptor)
    if not status.st_nlink:
        raise UploadNotFound("It was deleted.")
    return status.st_size


def _append(descriptor: int, offset: int, data: bytes) -> int:
    size = _size(descriptor)
    if size != offset:
        raise UploadOffsetMismatch(f"It continues at byte {size}.", size)
    rest, end = memoryview(data), offset + len(data)
    try:
        while offset < end:
            offset += os.pwrite(descriptor, rest[offset - end :], offset)
    except OSError as error:
        raise error_of(error, offset) from error
    return offset


def _nothing() -> None:
    pass
