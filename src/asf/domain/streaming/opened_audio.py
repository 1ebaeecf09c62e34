"""A stream's audio, opened before a session starts on it."""

from dataclasses import dataclass

from asf.domain.errors import AsfError
from asf.domain.streaming.shared_audio import SharedAudio
from asf.domain.streams.stream import AudioStream, StreamState


@dataclass(frozen=True, slots=True)
class OpenedAudio:
    """The audio of `stream` for one listener, which has access until `until` (as checked by `AccessControl`).

    A session that starts on it sends the bytes described here, whatever is announced or replaced meanwhile.
    """

    stream: AudioStream
    audio: SharedAudio
    until: float | None

    @property
    def content_type(self) -> str:
        """The media type, such as `audio/mpeg`."""
        return self.audio.content_type

    @property
    def epoch(self) -> str:
        """The epoch of the audio."""
        return self.audio.stream.epoch

    @property
    def size(self) -> int:
        """How many bytes there are now, as far as is known."""
        return self.audio.size

    @property
    def failure(self) -> AsfError | None:
        """Why the audio ends early; None if it does not, or not yet."""
        return None if self.audio.growing else self.audio.failure

    @property
    def total_bytes(self) -> int | None:
        """Size in bytes, or None unless the audio is complete."""
        return self.audio.total_bytes if self._is_complete else None

    @property
    def fingerprint(self) -> str | None:
        """A string that is equal only for equal bytes, or None unless the audio is complete."""
        return self.audio.fingerprint if self._is_complete else None

    @property
    def _is_complete(self) -> bool:
        return self.audio.stream.state is StreamState.COMPLETE and self.audio.failure is None
