"""Opens complete files in worker threads, once for all who open the same one at the same time."""

import threading
from functools import partial

from asf.adapters.audio_files.looks import FilePlace, Look, first_look
from asf.adapters.audio_files.threaded import OpenFile, ThreadedFileSource
from asf.adapters.blocking_calls import BlockingCall, BlockingCalls
from asf.adapters.media_types import named_type

OPEN_SECONDS = 5.0
"""How long a file system may take to resolve a path or to open a file."""


class _Opening:
    """A file that is being opened, and how many wait for it."""

    def __init__(self) -> None:
        self.finished = threading.Event()
        self.waiting = 0
        self.call: BlockingCall[Look] | None = None
        self.file: OpenFile | None = None


class Openings:
    """The files that are being opened, by path."""

    def __init__(self) -> None:
        self._openings: dict[str, _Opening] = {}

    def open(self, place: FilePlace, worker: BlockingCalls) -> ThreadedFileSource:
        """Open a file and wait for that, while other tasks run. Raises `AudioUnavailable`."""
        opening = self._openings.get(place.path)
        is_first = opening is None
        if opening is None:
            opening = self._openings[place.path] = _Opening()
        opening.waiting += 1
        try:
            if is_first:
                work = partial(first_look, place, growing=False, sniff=named_type(place.path) is None)
                worker.submit(work, partial(self._opened, place.path, worker, opening), OPEN_SECONDS)
            opening.finished.wait()
            assert opening.call is not None  # noqa: S101 - it has finished
            look = opening.call.outcome()
            assert opening.file is not None  # noqa: S101
            opening.file.hold()
            return ThreadedFileSource(place, worker, look, opening.file)
        finally:
            opening.waiting -= 1
            if not opening.waiting and opening.file is not None:
                opening.file.release()

    def _opened(self, path: str, worker: BlockingCalls, opening: _Opening, call: BlockingCall[Look]) -> None:
        if call.result is not None:
            file = OpenFile(call.result.descriptor, worker)
            if call.late or not opening.waiting:
                file.release()
            else:
                opening.file = file
        if opening.call is None:
            opening.call = call
            del self._openings[path]
            opening.finished.set()
