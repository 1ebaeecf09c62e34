"""Open audio, shared by all its listeners."""

import logging
from collections.abc import Hashable
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b

from asf.domain.errors import AsfError, AudioUnavailable, EpochChanged, GenerationFailed, StreamNotFound
from asf.domain.streaming.audio import SNIFFED_BYTES, UNKNOWN_CONTENT_TYPE
from asf.domain.streaming.durations import Durations
from asf.domain.streaming.ports import AudioSource
from asf.domain.streams.stream import AudioStream, StreamState

logger = logging.getLogger(__name__)


class SharedAudio:
    """The audio of one stream, held open while it has listeners. Only its own methods change it.

    `stream` is the stream to which the audio belongs, with the state of the audio. `source` provides the bytes; it is
    None until the first byte of growing audio is written, and until then `named_type` is the media type that the name
    suggests. `size` is how many bytes can be read now. While the audio is `growing`, there may be more later.
    Otherwise `size` is final, and `failure` is the reason why the audio ends there, or None if it is complete.
    `listeners` counts the listeners that hold the audio open. `durations` is None until `keep_durations`.
    """

    def __init__(self, key: Hashable, stream: AudioStream, named_type: str | None = None) -> None:
        self.key = key
        self.stream = stream
        self.source: AudioSource | None = None
        self._named_type = named_type
        self._type_is_known = False
        self.size = 0
        self.growing = stream.state is StreamState.GENERATING
        self.failure: AsfError | None = (
            GenerationFailed(stream.reason) if stream.state is StreamState.FAILED else None
        )
        self.listeners = 0
        self.durations: Durations | None = None

    @property
    def content_type(self) -> str:
        """The media type: as announced, or else according to the source or the name."""
        own_type = self.source.content_type if self.source else self._named_type
        return self.stream.content_type or own_type or UNKNOWN_CONTENT_TYPE

    @property
    def type_is_known(self) -> bool:
        """Whether `content_type` will not change: it was found, or no further bytes can show it."""
        if not self._type_is_known:
            self._type_is_known = (
                not self.growing or self.size >= SNIFFED_BYTES or self.content_type != UNKNOWN_CONTENT_TYPE
            )
        return self._type_is_known

    @cached_property
    def fingerprint(self) -> str:
        """A string that is equal only for equal bytes. Must not be read while the audio is growing."""
        assert not self.growing  # noqa: S101 - the result is cached
        identity = self.source.identity if self.source else None
        return blake2b(repr(identity).encode(), digest_size=16).hexdigest()

    @property
    def total_bytes(self) -> int | None:
        """Size of the complete audio in bytes, or None while it is unknown."""
        return None if self.growing else self.size

    def retain(self) -> None:
        """Count one more listener; pair every call with `release`."""
        self.listeners += 1

    def release(self) -> bool:
        """Count one listener fewer. Returns whether it was the last one; then the caller must close the audio."""
        self.listeners -= 1
        return not self.listeners

    def close(self) -> None:
        """Close the source, if there is one. Raises nothing: the caller has more to release."""
        if self.source is None:
            return
        try:
            self.source.close()
        except Exception:
            logger.exception("Closing the audio of stream %r failed", self.stream.stream_id)

    def keep_durations(self, durations: Durations) -> None:
        """Keep what is found out about how long the audio's bytes play."""
        self.durations = durations

    def connect(self, source: AudioSource) -> None:
        """Read from `source` from now on; `close` closes it. The size of growing audio is set by `refresh`."""
        self.source = source
        if not self.growing:
            self.size = source.size

    def refresh(self) -> None:
        """Update the size of growing audio, and finalize it if its source has an end marker.

        Raises `AudioUnavailable` when it can no longer be read.
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

    def measure(self) -> None:
        """Update the size of growing audio to what has been written by now. May yield.

        Raises `AudioUnavailable` when it can no longer be read, or its size is not known in time.
        """
        if self.source is not None and self.growing:
            self.source.measure()
            if self.growing:  # Else it was finalized meanwhile.
                self.refresh()

    def finalize(self, current: AudioStream | None) -> None:
        """Finalize growing audio at its current size, now that its stream is `current` (None: deleted).

        May yield. Until it returns, the audio is growing, and may be given up.
        """
        try:
            self.refresh()
            if current is not None and current.epoch == self.stream.epoch:
                if self.source is not None:
                    self.size = self.source.finalize()
                self.stream = current  # Not before: what is complete has its final size.
        except AudioUnavailable as error:
            self.failure = error
        self.growing = False
        if self.failure is None:
            self.failure = self._failure_of(current)

    def give_up(self, error: AsfError) -> None:
        """End growing audio at its last known size, because of `error`."""
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
