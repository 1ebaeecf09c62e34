"""Storage and audio in this process's memory: for tests, simulations, and servers that may forget."""

from collections import Counter
from collections.abc import Callable, Mapping

from asf.domain.errors import AudioChanged, AudioUnavailable, CatalogFull, InvalidFilepath
from asf.domain.streams.ports import StreamWatcher
from asf.domain.streams.stream import AudioEnding, AudioStream, FileLocator, Locator, StreamState


class InMemoryCatalogStore:
    """Implements the `CatalogStore` port. What it keeps ends with the process."""

    def __init__(self) -> None:
        self._streams: dict[str, AudioStream] = {}
        self.on_change: StreamWatcher = _nobody_watches

    def follow(self, stream_id: str) -> AudioStream | None:
        """Return the stream. The changes of all are told."""
        return self.get(stream_id)

    def unfollow(self, stream_id: str) -> None:
        """Do nothing."""

    def put(self, stream: AudioStream, instead_of: AudioStream | None, max_streams: int) -> bool:
        """Keep `stream` instead of another one, or of nothing, if that is there. Raises `CatalogFull`."""
        if self._streams.get(stream.stream_id) != instead_of:
            return False
        if instead_of is None and len(self._streams) >= max_streams:
            raise CatalogFull.at(max_streams)
        self._streams[stream.stream_id] = stream
        self.on_change(stream.stream_id, stream)
        return True

    def get(self, stream_id: str) -> AudioStream | None:
        """Return the stream of that id, or None."""
        return self._streams.get(stream_id)

    def delete(self, stream: AudioStream) -> bool:
        """Forget `stream` if it is there, and tell whether it was."""
        if self._streams.get(stream.stream_id) != stream:
            return False
        del self._streams[stream.stream_id]
        self.on_change(stream.stream_id, None)
        return True

    def page(self, limit: int, after: str) -> list[AudioStream]:
        """Return at most `limit` streams in the order of their ids, those behind `after`."""
        behind = sorted(stream_id for stream_id in self._streams if stream_id > after)
        return [self._streams[stream_id] for stream_id in behind[:limit]]

    def size(self) -> int:
        """Return how many streams are kept."""
        return len(self._streams)

    def count(self) -> Mapping[StreamState, int]:
        """Return how many streams of each state are kept."""
        return Counter(stream.state for stream in self._streams.values())

    def check(self) -> None:
        """Find nothing wrong."""

    def close(self) -> None:
        """Do nothing."""


class InMemoryAudioSource:
    """One audio in memory: implements the `AudioSource` port."""

    content_type = "audio/mpeg"
    ending: AudioEnding | None = None

    def __init__(self, audios: Mapping[str, bytes], name: str) -> None:
        self._audios = audios
        self._name = name
        self._data: bytes | None = audios[name]
        self.on_arrival: Callable[[], None] = _nothing_arrives
        self.size = len(self._data)
        self.identity: bytes | None = self._data

    def read(self, offset: int, length: int) -> bytes | None:
        """Return exactly `length` bytes from `offset` on. Raises `AudioUnavailable`."""
        if self._data is None:
            raise AudioUnavailable("It is closed.")
        data = self._data[offset : offset + length]
        if len(data) < length:
            raise AudioUnavailable(f"It ends at byte {self.size}.")
        return data

    def refresh(self) -> int:
        """Return the length by now. Raises `AudioUnavailable` when it is gone, or not what it was."""
        data = self._audios.get(self._name)
        if data is None or self._data is None or not data.startswith(self._data):
            raise AudioChanged("It is not what it was.")
        self._data = data
        self.size = len(data)
        return self.size

    def finalize(self) -> int:
        """Do as `refresh`."""
        self.refresh()
        self.identity = self._data
        return self.size

    def close(self) -> None:
        """Forget the data."""
        self._data = None


class InMemoryAudioSources:
    """Audio by name, from a mapping: implements the `AudioSources` port. What is growing grows in the mapping."""

    def __init__(self, audios: Mapping[str, bytes]) -> None:
        self._audios = audios

    def unreachable(self) -> dict[str, str]:
        """Return nothing: memory is always there."""
        return {}

    def locate(self, filepath: str) -> Locator:
        """Return where `filepath` points; absolute paths and those that climb with `..` are refused."""
        if filepath.startswith("/") or ".." in filepath.split("/"):
            raise InvalidFilepath(f"'{filepath}' is outside.")
        return FileLocator(filepath)

    def content_type_of(self, locator: Locator) -> str | None:  # noqa: ARG002 - all is the same
        """Return the media type of all audio here."""
        return InMemoryAudioSource.content_type

    def open(self, locator: Locator, *, growing: bool = False) -> InMemoryAudioSource:  # noqa: ARG002 - every one can
        """Open the audio of that name. Raises `AudioUnavailable`."""
        if locator.text not in self._audios:
            raise AudioUnavailable("There is no such audio.")
        return InMemoryAudioSource(self._audios, locator.text)


def _nobody_watches(_stream_id: str, _stream: AudioStream | None) -> None:
    pass


def _nothing_arrives() -> None:
    pass
