"""Reports the changes of streams that are followed; used by all catalog stores."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from asf.adapters.serial_executor import SerialExecutor
from asf.domain.errors import CatalogUnavailable
from asf.domain.signal import Signal
from asf.domain.streams.stream import AudioStream

READS = 5
"""How often a value is read again because the stream has changed meanwhile."""

Read = Callable[[str], AudioStream | None]
"""Returns the current value of a stream, as `StreamStore.get` does."""


@dataclass(slots=True)
class _Followed:
    """What is known of a followed stream."""

    arrivals: int = 0
    """How many changes have arrived, and how many reads have found another value than the one before."""
    news: AudioStream | None = None
    """The value of the latest change that was reported; None: none was, or it was a deletion."""
    read: AudioStream | None = None
    """The value that was read last, if no change has led to it, or beyond it, yet."""


@dataclass(frozen=True, slots=True)
class _Report:
    """A value to report: a change, or with `is_read` one that was read."""

    stream: AudioStream | None
    is_read: bool = False


class FollowedStreams:
    """The ids of the followed streams. Their changes go to `on_change`, as defined by the port `StreamChanges`.

    Changes arrive in their order, but values that are read overtake them, and are overtaken. So no change is reported
    that is older than a value that was read, and no value is returned that is older than a reported change: of two
    values, the one with the earlier `announced_at` is older.

    `start` runs a function that calls `on_change`: in a thread of its own, or at once in the caller's task. `read`
    returns the current value of a stream.
    """

    def __init__(self, start: Callable[[Callable[[], None]], object], read: Read) -> None:
        self.on_change: Signal[str, AudioStream | None] = Signal()
        self._read = read
        self._followed: dict[str, _Followed] = {}
        self._executor: SerialExecutor[_Report] = SerialExecutor(self._deliver, start)

    def __contains__(self, stream_id: str) -> bool:
        """Return whether the stream is followed."""
        return stream_id in self._followed

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids."""
        return iter(self._followed)

    def add(self, stream_id: str) -> None:
        """Report the changes of the stream from now on. Safe to repeat."""
        self._followed.setdefault(stream_id, _Followed())

    def discard(self, stream_id: str) -> None:
        """Stop reporting changes of the stream. An unknown one has no effect."""
        self._followed.pop(stream_id, None)

    def current(self, stream_id: str) -> AudioStream | None:
        """Return the current value of a stream. May yield. Raises `CatalogUnavailable`.

        It is read again if a change arrives, or another task reads another value, meanwhile: it may be older.
        """
        stream: AudioStream | None = None
        for _ in range(READS):
            arrivals = self.arrivals(stream_id)
            stream = self._read(stream_id)
            if self.arrivals(stream_id) == arrivals:
                break
        else:
            stream = self._newest(stream_id, stream)
        self._note_read(stream_id, stream)
        return stream

    def arrivals(self, stream_id: str) -> int:
        """Return a number that changes with each change of the stream that arrives."""
        followed = self._followed.get(stream_id)
        return 0 if followed is None else followed.arrivals

    def report(self, stream_id: str, stream: AudioStream | None) -> None:
        """Report a change to the stream's current value (None: it was deleted), if it is followed. Raises nothing."""
        followed = self._followed.get(stream_id)
        if followed is not None:
            followed.arrivals += 1
            self._executor.submit(stream_id, _Report(stream))

    def report_read(self, stream_id: str, stream: AudioStream) -> None:
        """Report a value that was read while no change arrived, if the stream is followed. Raises nothing."""
        if stream_id in self._followed:
            self._note_read(stream_id, stream)
            self._executor.submit(stream_id, _Report(stream, is_read=True))

    def forget_reads(self) -> None:
        """Report all changes that arrive from now on: the store may have lost those that were read."""
        for followed in list(self._followed.values()):
            followed.read = None

    def _newest(self, stream_id: str, stream: AudioStream | None) -> AudioStream | None:
        """Return `stream`, or a newer value that was reported or read."""
        followed = self._followed.get(stream_id)
        known = () if followed is None or stream is None else (followed.news, followed.read)
        return max([stream, *filter(None, known)], key=lambda value: value.announced_at if value else 0.0)

    def _note_read(self, stream_id: str, stream: AudioStream | None) -> None:
        followed = self._followed.get(stream_id)
        if followed is None or stream is None or stream in (followed.read, followed.news):
            return
        followed.arrivals += 1
        followed.read = stream

    def _deliver(self, stream_id: str, report: _Report) -> None:
        followed = self._followed.get(stream_id)
        if followed is None:
            return
        stream = report.stream
        if not report.is_read:
            followed.news = stream
        if followed.read is not None and not report.is_read:
            if stream is None:  # It says not when it was deleted: before that value was announced, or after.
                stream = self._current_or_none(stream_id)
            elif stream.announced_at < followed.read.announced_at:
                return
            else:
                followed.read = None
        elif followed.read is not None and stream != followed.read:
            return  # A later read has found another value.
        self.on_change(stream_id, stream)

    def _current_or_none(self, stream_id: str) -> AudioStream | None:
        try:
            return self.current(stream_id)
        except CatalogUnavailable:
            return None
