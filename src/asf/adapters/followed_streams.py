"""Reports the changes of streams that are followed; used by all catalog stores."""

from collections.abc import Callable, Iterator

from asf.adapters.serial_executor import SerialExecutor
from asf.domain.signal import Signal
from asf.domain.streams.stream import AudioStream


class FollowedStreams:
    """The ids of the followed streams. Their changes go to `on_change`, as defined by the port `StreamChanges`.

    `start` runs a function that calls `on_change`: in a thread of its own, or at once in the caller's task.
    """

    def __init__(self, start: Callable[[Callable[[], None]], object]) -> None:
        self.on_change: Signal[str, AudioStream | None] = Signal()
        self._ids: set[str] = set()
        self._executor: SerialExecutor[AudioStream | None] = SerialExecutor(self._deliver, start)

    def __contains__(self, stream_id: str) -> bool:
        """Return whether the stream is followed."""
        return stream_id in self._ids

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids."""
        return iter(self._ids)

    def add(self, stream_id: str) -> None:
        """Report the changes of the stream from now on. Safe to repeat."""
        self._ids.add(stream_id)

    def discard(self, stream_id: str) -> None:
        """Stop reporting changes of the stream. An unknown one has no effect."""
        self._ids.discard(stream_id)

    def report(self, stream_id: str, stream: AudioStream | None) -> None:
        """Report the stream's current value (None: it was deleted), if it is followed. Raises nothing."""
        if stream_id in self._ids:
            self._executor.submit(stream_id, stream)

    def _deliver(self, stream_id: str, stream: AudioStream | None) -> None:
        if stream_id in self._ids:
            self.on_change(stream_id, stream)
