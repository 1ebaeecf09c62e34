"""One opened file of a file system whose calls may wait for another machine or process."""

import os
import threading
import time
from collections.abc import Callable
from functools import partial

from asf.adapters.audio_files.calls import FAILURE_SECONDS, READ_SECONDS
from asf.adapters.audio_files.looks import FilePlace, Look, checked_read, first_look, look_again
from asf.adapters.blocking_calls import BlockingCall, BlockingCalls
from asf.adapters.media_types import named_type, sniffed_type
from asf.domain.errors import AsfError, AudioUnavailable
from asf.domain.streaming.audio import UNKNOWN_CONTENT_TYPE
from asf.domain.streams.stream import AudioEnding

FINAL_SECONDS = 10.0
"""How long the end of audio that is announced as complete waits for its last length."""

LOOK_SECONDS = 0.1
"""Shortest interval between two looks at a growing file. The 20 ms of local files would cost a switch of threads
each; and attributes are cached for longer than that anyway."""

REOPEN_SECONDS = 1.0
"""A file that does not grow is reopened at this interval, as only that makes network file systems ask the server."""

MAX_FETCHED = 32
"""Maximum reads that are kept until they are taken; the oldest is dropped first."""

Fetched = bytes | tuple[AsfError, float]


class OpenFile:
    """A descriptor and how many use it. The last one to release it closes it, in a worker thread."""

    def __init__(self, descriptor: int, worker: BlockingCalls) -> None:
        self.descriptor = descriptor
        self._worker = worker
        self._users = 1

    def hold(self) -> None:
        """Count one more user."""
        self._users += 1

    def release(self) -> None:
        """Count one user fewer."""
        self._users -= 1
        if not self._users:
            self._worker.submit(partial(os.close, self.descriptor), _ignore_call)


class ThreadedFileSource:
    """One file: implements the `AudioSource` port with calls in the threads of `worker`.

    A complete file has been looked at (`look`), and must stay as it is then. A growing file is opened in the
    background: its length is 0 until then, and each `refresh` returns what the latest look has found.
    """

    ending: AudioEnding | None = None

    def __init__(
        self,
        place: FilePlace,
        worker: BlockingCalls,
        look: Look | None,
        file: OpenFile | None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.on_arrival: Callable[[], None] = _ignore
        self.size = look.size if look else 0
        self._place = place
        self._worker = worker
        self._look = look
        self._file = file
        self._now = now
        self._named_type = named_type(place.path)
        self._growing = look is None
        self._closed = False
        self._error: Exception | None = None
        # The look that is under way, and whether it reopens the file.
        self._looking: threading.Event | None = None
        self._reopens = False
        self._looked_at = self._reopened_at = float("-inf")
        self._fetched: dict[tuple[int, int], Fetched] = {}
        self._fetching: set[tuple[int, int]] = set()
        if self._growing:
            self._start_look(reopen=False)

    @property
    def content_type(self) -> str:
        """The media type by the file's name, or else by its first bytes, as far as they are known."""
        if self._named_type is None and self._look is not None and self._look.beginning:
            self._named_type = sniffed_type(self._look.beginning)
        return self._named_type or UNKNOWN_CONTENT_TYPE

    @property
    def identity(self) -> tuple[str | int, ...]:
        """As of the latest look."""
        return self._look.identity if self._look else (self._place.path,)

    def read(self, offset: int, length: int) -> bytes | None:
        """Return exactly `length` bytes from `offset`, or None while they are read.

        Raises `AudioUnavailable`, `AudioChanged`.
        """
        look = self._opened_look()
        if self._error is not None:
            raise self._error.with_traceback(None)
        if offset + length > look.size:
            raise AudioUnavailable(f"The file ends at byte {look.size}.")
        start = offset - (look.size - len(look.recent))
        if start >= 0:
            return look.recent[start : start + length]
        key = (offset, length)
        fetched = self._fetched.get(key)
        if isinstance(fetched, bytes):
            return self._fetched.pop(key)  # type: ignore[return-value]
        if fetched is not None and self._now() < fetched[1]:
            raise fetched[0].with_traceback(None)
        if key not in self._fetching:
            self._fetch(key, look)
        return None

    def is_current(self) -> bool:
        """Return False: that cannot be known without waiting."""
        return False

    def cancel(self, offset: int) -> None:
        """Do nothing: a read that was started ends, and is kept for the next one who wants it."""

    def refresh(self) -> int:
        """Return the length that the latest look has found. Raises `AudioChanged`, `AudioUnavailable`."""
        if self._error is not None:
            raise self._error.with_traceback(None)
        if self._growing and not self._closed and self._looking is None:
            now = self._now()
            if now - self._looked_at >= LOOK_SECONDS:
                self._start_look(reopen=now - self._reopened_at >= REOPEN_SECONDS)
        return self.size

    def measure(self) -> int:
        """Reopen the file and return its length, which may yield.

        Raises `AudioUnavailable`, also when the file system does not respond in time.
        """
        self._look_in_time(final=False)
        return self.size

    def finalize(self) -> int:
        """Do as `measure`. From now on the file must not change."""
        self._look_in_time(final=True)
        if self._look is None:
            raise AudioUnavailable("It was never written.")
        self._growing = False
        return self.size

    def close(self) -> None:
        """Close the file as soon as no call uses it. Safe to repeat."""
        if self._closed:
            return
        self._closed = True
        self.on_arrival = _ignore
        self._fetched.clear()
        if self._file is not None:
            self._file.release()
            self._file = None

    def _opened_look(self) -> Look:
        if self._closed or self._look is None:
            raise AudioUnavailable("It is closed." if self._closed else "It is not open yet.")
        return self._look

    def _look_in_time(self, *, final: bool) -> None:
        """Reopen the file and look at it, together with others that ask now. May yield. Raises `AudioUnavailable`."""
        end = self._now() + FINAL_SECONDS
        earlier = self._looking
        while (looking := self._looking) is not None and self._now() < end:
            if looking is not earlier and self._reopens and not final:  # It has begun since.
                break
            looking.wait(max(0.0, end - self._now()))
        if looking is None and not self._closed:
            looking = self._start_look(reopen=True, final=final)
        if looking is not None:
            looking.wait(max(0.0, end - self._now()))
        if self._error is not None:
            raise self._error.with_traceback(None)
        if looking is not None and not looking.is_set():  # Another look may have begun since.
            raise AudioUnavailable("The file system does not respond.")

    def _start_look(self, *, reopen: bool, final: bool = False) -> threading.Event:
        looking = self._looking = threading.Event()
        self._reopens = reopen
        self._looked_at = self._now()
        known, file = self._look, self._file
        work: Callable[[], Look]
        if known is None or file is None:
            work = partial(first_look, self._place, growing=True, sniff=True)
        else:
            file.hold()
            work = partial(look_again, self._place, known, reopen=reopen)
            if reopen:
                self._reopened_at = self._looked_at
        self._worker.submit(work, partial(self._looked, known, file, final=final))
        return looking

    def _looked(self, known: Look | None, file: OpenFile | None, call: BlockingCall[Look], *, final: bool) -> None:
        looking, self._looking = self._looking, None
        look = call.result
        if look is not None and (known is None or look.descriptor != known.descriptor):
            opened = OpenFile(look.descriptor, self._worker)
            if self._closed:
                opened.release()
            else:
                if self._file is not None:
                    self._file.release()
                self._file = opened
        if not self._closed:
            self._take(known, look, call.error, final=final)
        if known is not None and file is not None:
            file.release()
        if looking is not None:
            looking.set()

    def _take(self, known: Look | None, look: Look | None, error: Exception | None, *, final: bool) -> None:
        if look is not None:
            if look.size > self.size:
                self._reopened_at = self._now()
            self._look = look
            self.size = look.size
        elif known is not None or final:  # A growing file need not exist yet.
            self._error = error

    def _fetch(self, key: tuple[int, int], look: Look) -> None:
        file = self._file
        assert file is not None  # noqa: S101 - it is open
        file.hold()
        self._fetching.add(key)
        work = partial(checked_read, self._place, look, *key, growing=self._growing)
        self._worker.submit(work, partial(self._read_done, key, file), READ_SECONDS)

    def _read_done(self, key: tuple[int, int], file: OpenFile, call: BlockingCall[bytes]) -> None:
        if call.returned:
            file.release()
        if call.returned and call.late:
            return
        self._fetching.discard(key)
        if self._closed:
            return
        try:
            self._fetched[key] = call.outcome()
        except AsfError as error:
            self._fetched[key] = (error, self._now() + FAILURE_SECONDS)
        while len(self._fetched) > MAX_FETCHED:
            del self._fetched[next(iter(self._fetched))]
        self.on_arrival()


def _ignore() -> None:
    pass


def _ignore_call(_call: BlockingCall[None]) -> None:
    pass
