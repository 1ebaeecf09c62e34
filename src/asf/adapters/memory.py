"""A catalog and audio in memory: for tests and simulations."""

from collections import Counter
from collections.abc import Callable, Mapping

from asf.adapters.followed_streams import FollowedStreams
from asf.adapters.serial_executor import run_at_once
from asf.domain.errors import AudioChanged, AudioUnavailable, CatalogFull, InvalidFilepath
from asf.domain.signal import Signal
from asf.domain.streams.stream import AudioEnding, AudioStream, FileLocator, Locator, StreamState


class InMemoryCatalogStore:
    """Implements the `CatalogStore` port, for one process."""

    is_local = True

    def __init__(self) -> None:
        self._streams: dict[str, AudioStream] = {}
        self._followed = FollowedStreams(run_at_once, self.get)

    @property
    def on_change(self) -> Signal[str, AudioStream | None]:
        """Called by `put` and `delete`."""
        return self._followed.on_change

    def follow(self, stream_id: str) -> AudioStream | None:
        """Report the stream's changes, and return it."""
        self._followed.add(stream_id)
        return self._followed.current(stream_id)

    def unfollow(self, stream_id: str) -> None:
        """Stop reporting changes of the stream."""
        self._followed.discard(stream_id)

    def put(self, stream: AudioStream, instead_of: AudioStream | None, max_streams: int) -> bool:
        """Store `stream` if `instead_of` is stored now, and return whether it was. Raises `CatalogFull`."""
        if self._streams.get(stream.stream_id) != instead_of:
            return False
        if instead_of is None and len(self._streams) >= max_streams:
            raise CatalogFull.at(max_streams)
        self._streams[stream.stream_id] = stream
        self._followed.report(stream.stream_id, stream)
        return True

    def get(self, stream_id: str) -> AudioStream | None:
        """Return the stream with that id, or None."""
        return self._streams.get(stream_id)

    def peek(self, stream_id: str) -> AudioStream | None:
        """Return the stream with that id, or None."""
        return self.get(stream_id)

    def delete(self, stream: AudioStream) -> bool:
        """Delete `stream` if it is stored now, and return whether it was."""
        if self._streams.get(stream.stream_id) != stream:
            return False
        del self._streams[stream.stream_id]
        self._followed.report(stream.stream_id, None)
        return True

    def page(self, limit: int, after: str) -> list[AudioStream]:
        """Return at most `limit` streams with ids after `after`, in the order of their ids."""
        stream_ids = sorted(stream_id for stream_id in self._streams if stream_id > after)
        return [self._streams[stream_id] for stream_id in stream_ids[:limit]]

    def count(self) -> Mapping[StreamState, int]:
        """Return how many streams there are in each state."""
        return Counter(stream.state for stream in self._streams.values())

    def check(self) -> None:
        """Do nothing: memory can always be used."""

    def close(self) -> None:
        """Do nothing."""


class InMemoryAudioSource:
    """Audio in memory: implements the `AudioSource` port."""

    content_type = "audio/mpeg"
    ending: AudioEnding | None = None

    def __init__(self, audio_by_name: Mapping[str, bytes], name: str) -> None:
        self._audio_by_name = audio_by_name
        self._name = name
        self._data: bytes | None = audio_by_name[name]
        self.on_arrival: Callable[[], None] = _nothing_arrives
        self.size = len(self._data)
        self.identity: bytes | None = self._data

    def read(self, offset: int, length: int) -> bytes | None:
        """Return exactly `length` bytes from `offset`. Raises `AudioUnavailable`."""
        if self._data is None:
            raise AudioUnavailable("It is closed.")
        data = self._data[offset : offset + length]
        if len(data) < length:
            raise AudioUnavailable(f"It ends at byte {self.size}.")
        return data

    def is_current(self) -> bool:
        """Return whether the audio of this name is still the same."""
        return self._data is not None and self._audio_by_name.get(self._name) is self._data

    def cancel(self, offset: int) -> None:
        """Do nothing: nothing is fetched."""

    def refresh(self) -> int:
        """Return the current length. Raises `AudioChanged` if the audio is missing or was replaced."""
        data = self._audio_by_name.get(self._name)
        if data is None or self._data is None or not data.startswith(self._data):
            raise AudioChanged("It was replaced.")
        self._data = data
        self.size = len(data)
        return self.size

    def measure(self) -> int:
        """Return the current length."""
        return self.refresh()

    def finalize(self) -> int:
        """Refresh, and make the identity final."""
        self.refresh()
        self.identity = self._data
        return self.size

    def close(self) -> None:
        """Drop the data."""
        self._data = None


class InMemoryAudioSources:
    """Audio by name, from a mapping: implements the `AudioSources` port. Audio grows in the mapping."""

    def __init__(self, audio_by_name: Mapping[str, bytes]) -> None:
        self._audio_by_name = audio_by_name

    def unreachable(self) -> dict[str, str]:
        """Return nothing: memory can always be read."""
        return {}

    def locate(self, filepath: str) -> Locator:
        """Return the locator of `filepath`. Raises `InvalidFilepath` for absolute paths and those with `..`."""
        if filepath.startswith("/") or ".." in filepath.split("/"):
            raise InvalidFilepath(f"'{filepath}' is outside.")
        return FileLocator(filepath)

    def content_type_of(self, locator: Locator) -> str | None:  # noqa: ARG002 - all audio has the same
        """Return the media type of all audio here."""
        return InMemoryAudioSource.content_type

    def open(self, locator: Locator, *, growing: bool = False) -> InMemoryAudioSource:  # noqa: ARG002 - all audio may grow
        """Open the audio of that name. Raises `AudioUnavailable`."""
        if locator.text not in self._audio_by_name:
            raise AudioUnavailable("There is no such audio.")
        return InMemoryAudioSource(self._audio_by_name, locator.text)


def _nothing_arrives() -> None:
    pass
