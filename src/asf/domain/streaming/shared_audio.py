"""One opened audio, shared by all its listeners."""

from collections.abc import Hashable
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b

from asf.domain.errors import AsfError, AudioUnavailable, EpochChanged, GenerationFailed, StreamNotFound
from asf.domain.streaming.audio import UNKNOWN_CONTENT_TYPE
from asf.domain.streaming.ports import AudioSource
from asf.domain.streams.stream import AudioStream, StreamState


class SharedAudio:
    """One audio, held open while it has listeners. Only its own methods change it.

    `stream` is the stream as this audio knows it, `source` where its bytes come from: None while a growing audio's
    first byte is still to be written; until then `named_type` is the media type that its name suggests. `size` is
    how many bytes can be read now. An audio that is `growing` may get more. Otherwise `size` is final, and `failure`
    is the reason why the audio ends there, or None when it is complete. `listeners` counts who holds the audio open.
    """

    def __init__(self, key: Hashable, stream: AudioStream, named_type: str | None = None) -> None:
        self.key = key
        self.stream = stream
        self.source: AudioSource | None = None
        self._named_type = named_type
        self.size = 0
        self.growing = stream.state is StreamState.GENERATING
        self.failure: AsfError | None = (
            GenerationFailed(stream.reason) if stream.state is StreamState.FAILED else None
        )
        self.listeners = 0

    @property
    def content_type(self) -> str:
        """The media type: as announced, else as the source or the name says."""
        own_type = self.source.content_type if self.source else self._named_type
        return self.stream.content_type or own_type or UNKNOWN_CONTENT_TYPE

    @cached_property
    def fingerprint(self) -> str:
        """A text that is equal for two audios only if their bytes are. Must not be asked while the audio grows."""
        assert not self.growing  # noqa: S101 - the result is cached
        identity = self.source.identity if self.source else None
        return blake2b(repr(identity).encode(), digest_size=16).hexdigest()

    @property
    def total_bytes(self) -> int | None:
        """Size of the complete audio in bytes, None while it is not known."""
        return None if self.growing else self.size

    def retain(self) -> None:
        """Count one more listener, which calls `release` in the end."""
        self.listeners += 1

    def release(self) -> bool:
        """Count one listener less. Returns whether that was the last one, after which the audio is to be closed."""
        self.listeners -= 1
        return not self.listeners

    def close(self) -> None:
        """Close the source, if there is one."""
        if self.source is not None:
            self.source.close()

    def connect(self, source: AudioSource) -> None:
        """Read from `source` from now on, and close it in the end. The size of a growing audio awaits `refresh`."""
        self.source = source
        if not self.growing:
            self.size = source.size

    def refresh(self) -> None:
        """Update the size of a growing audio, and finalize it where its source says that it has ended.

        Raises `AudioUnavailable` when it cannot be read any more.
        """
        if self.source is None:
            return
        self.size = self.source.refresh()
        ending = self.source.ending
        if ending is None:
            return
        self.stream = replace(self.stream, state=ending.state, reason=ending.reason)
        self.growing = False
        if ending.state is StreamState.FAILED:
            self.failure = GenerationFailed(ending.reason)

    def finalize(self, current: AudioStream | None) -> None:
        """End a growing audio at what has been written by now, as its stream has become `current` (None: deleted)."""
        try:
            self.refresh()
            if current is not None and current.epoch == self.stream.epoch:
                self.stream = current
                if self.source is not None:
                    self.size = self.source.finalize()
        except AudioUnavailable as error:
            self.failure = error
        self.growing = False
        if self.failure is None:
            self.failure = self._failure_of(current)

    def give_up(self, error: AsfError) -> None:
        """End a growing audio at its present size, because of `error`."""
        self.growing = False
        self.failure = error

    def _failure_of(self, current: AudioStream | None) -> AsfError | None:
        if current is None:
            return StreamNotFound()
        if current.epoch != self.stream.epoch:
            return EpochChanged(epoch=current.epoch)
        if current.state is StreamState.FAILED:
            return GenerationFailed(current.reason)
        if self.source is None:
            return AudioUnavailable("The audio was never written.")
        return None
