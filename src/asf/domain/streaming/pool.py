"""Opened audio, shared by all its listeners."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from hashlib import blake2b
from typing import TYPE_CHECKING

from asf.domain.errors import AsfError, AudioUnavailable, EpochChanged, GenerationFailed, StreamNotFound
from asf.domain.streaming.audio import UNKNOWN_CONTENT_TYPE, AudioBatch
from asf.domain.streams.stream import AudioStream, Locator, StreamState

if TYPE_CHECKING:
    from collections.abc import Hashable

    from asf.domain.streaming.pacing import Pace
    from asf.domain.streaming.ports import AudioSource, AudioSources
    from asf.domain.streaming.session import ListenerSession

MAX_CACHED_BATCHES = 1024
MAX_CACHED_BYTES = 32 * 1024 * 1024
"""Bounds of what is kept of audio that was read, for listeners that come by later. A batch has at most 64 KiB, or is
a single larger chunk."""


class SharedAudio:
    """One audio, held open while it has listeners.

    `size` is how many bytes can be read now. An audio that is `growing` may get more; else `failure` tells why what
    there is, is all there will be, or is None when it is whole. `source` is None while a growing audio's first byte
    is still to be written; then `named_type` is the media type that its name tells. `starved` are the sessions that
    have everything so far, `awaiting` those whose next bytes are being fetched.
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
        self.starved: dict[ListenerSession, None] = {}
        self.awaiting: dict[ListenerSession, None] = {}
        self.grown_at = 0.0

    @property
    def content_type(self) -> str:
        """The media type: as announced, else as the source tells it."""
        told_by_audio = self.source.content_type if self.source else self._named_type
        return self.stream.content_type or told_by_audio or UNKNOWN_CONTENT_TYPE

    @cached_property
    def fingerprint(self) -> str:
        """A text that is equal for two audios only if they have the same bytes. Only for one that grows no more."""
        assert not self.growing  # noqa: S101 - what is cached must hold
        identity = self.source.identity if self.source else None
        return blake2b(repr(identity).encode(), digest_size=16).hexdigest()

    @property
    def total_bytes(self) -> int | None:
        """Length of the whole audio, None while it is not known."""
        return None if self.growing else self.size


class AudioPool:
    """Opens audio for listeners, and lets those who listen to the same bytes share one source and what it yields.

    Batches that were used lately are kept; the ones unused for longest go first. `on_arrival` is called when bytes of
    an audio that were not may be there.
    """

    def __init__(self, sources: AudioSources, pace: Pace) -> None:
        self._sources = sources
        self._pace = pace
        self._open: dict[Hashable, SharedAudio] = {}
        self._batches: OrderedDict[tuple[SharedAudio, int], AudioBatch] = OrderedDict()
        self._cached_bytes = 0
        self.on_arrival: Callable[[SharedAudio], None] = _nobody_awaits

    def __len__(self) -> int:
        """Return how many audios are open."""
        return len(self._open)

    def acquire(self, stream: AudioStream) -> SharedAudio:
        """Return the stream's audio as it is now; `release` it when done. Others may have their turns meanwhile.

        Raises `AudioUnavailable`, or `GenerationFailed` for a failed stream of which there is nothing.
        """
        if stream.locator.tells_its_end and stream.state is not StreamState.FAILED:
            audio = self._telling_its_end(stream)
        elif stream.state is StreamState.GENERATING:
            audio = self._growing(stream)
        else:
            audio = self._ended(stream)
        audio.listeners += 1
        return audio

    def share(self, audio: SharedAudio) -> None:
        """Let one more have an audio that somebody has acquired; each releases it by itself."""
        audio.listeners += 1

    def growing_of(self, stream_id: str) -> list[SharedAudio]:
        """Return the open audios of a stream that may still grow: one for each of its epochs that has listeners."""
        return [audio for audio in self._open.values() if audio.growing and audio.stream.stream_id == stream_id]

    def release(self, audio: SharedAudio) -> None:
        """Give back what `acquire` returned. The last one to do so closes the audio."""
        audio.listeners -= 1
        if audio.listeners:
            return
        if self._open.get(audio.key) is audio:  # One that was given up may have been replaced.
            del self._open[audio.key]
        for key in [key for key in self._batches if key[0] is audio]:
            self._forget(self._batches.pop(key))
        if audio.source is not None:
            audio.source.close()

    def refresh(self, audio: SharedAudio) -> bool:
        """Look how far a growing audio has come, and tell whether there is more than before, or this is the end.

        Raises `AudioUnavailable` when what was there is gone.
        """
        if audio.source is None:
            with suppress(AudioUnavailable):
                self._connect(audio, self._sources.open(audio.stream.locator, growing=True))
            if audio.source is None:
                return False
        before = audio.size
        audio.size = audio.source.refresh()
        if (ending := audio.source.ending) is not None:
            audio.stream = replace(audio.stream, state=ending.state, reason=ending.reason)
            audio.growing = False
            if ending.state is StreamState.FAILED:
                audio.failure = GenerationFailed(ending.reason)
        return audio.size > before or not audio.growing

    def finalize(self, audio: SharedAudio, current: AudioStream | None) -> None:
        """Let a growing audio grow no more, as its stream has become `current` (None: it was deleted).

        What has been written by now is still read; then it ends as the stream did. One that tells its own end is not
        ended by being announced as complete.
        """
        if current is not None and _goes_on(audio.stream, current):
            return
        try:
            self.refresh(audio)
            if current is not None and current.epoch == audio.stream.epoch:
                audio.stream = current
                if audio.source is not None:  # Whoever wrote it says that it is done.
                    audio.size = audio.source.finalize()
        except AudioUnavailable as error:
            audio.failure = error
        audio.growing = False
        if audio.failure is not None:
            return
        if current is None:
            audio.failure = StreamNotFound()
        elif current.epoch != audio.stream.epoch:
            audio.failure = EpochChanged(epoch=current.epoch)
        elif current.state is StreamState.FAILED:
            audio.failure = GenerationFailed(current.reason)
        elif audio.source is None:
            audio.failure = AudioUnavailable("It was never written.")

    def batch(self, audio: SharedAudio, offset: int) -> AudioBatch | None:
        """Return the batch of `audio` in which byte `offset` lies, as far as it is written.

        None while it is being fetched: `on_arrival` tells when to ask again. Raises `AudioUnavailable`.
        """
        number = offset // self._pace.batch_bytes
        key = (audio, number)
        start = number * self._pace.batch_bytes
        stop = min(start + self._pace.batch_bytes, audio.size)
        batch = self._batches.get(key)
        if batch is not None and batch.end == stop:
            self._batches.move_to_end(key)
            return batch
        assert audio.source is not None  # noqa: S101 - it has at least `stop` bytes
        known = batch.data if batch is not None else b""
        read_from = start + len(known)
        read = audio.source.read(read_from, stop - read_from)
        if read is None:
            return None
        data = known + read
        if batch is not None:
            self._forget(self._batches.pop(key))
        batch = self._batches[key] = AudioBatch(start, data, self._pace.chunk_bytes)
        self._cached_bytes += len(data)
        while len(self._batches) > MAX_CACHED_BATCHES or self._cached_bytes > MAX_CACHED_BYTES:
            self._forget(self._batches.popitem(last=False)[1])
        return batch

    def _growing(self, stream: AudioStream) -> SharedAudio:
        key = (stream.stream_id, stream.epoch)
        audio = self._open.get(key)
        if audio is None or not audio.growing:  # One that was given up may grow again for others.
            audio = SharedAudio(key, stream, self._sources.content_type_of(stream.locator))
            self.refresh(audio)
            self._open[key] = audio
        return audio

    def _telling_its_end(self, stream: AudioStream) -> SharedAudio:
        """Return an audio that grows until it says itself that it has ended, whatever was announced of it."""
        key = (stream.stream_id, stream.epoch)
        audio = self._shared(key)
        if audio is None:
            source = self._sources.open(stream.locator, growing=True)
            audio = self._shared(key)
            if audio is not None:  # Someone else was quicker.
                source.close()
        if audio is None:
            audio = SharedAudio(key, replace(stream, state=StreamState.GENERATING))
            self._connect(audio, source)
            try:
                self.refresh(audio)
            except AudioUnavailable:
                source.close()
                raise
            self._open[key] = audio
        elif audio.growing and not audio.starved:  # Else it is looked at all the time.
            self.refresh(audio)
        return audio

    def _shared(self, key: Hashable) -> SharedAudio | None:
        """Return an open audio that tells its own end, unless it was given up before that."""
        audio = self._open.get(key)
        if audio is None or audio.source is None:
            return None
        return audio if audio.growing or audio.source.ending is not None else None

    def _ended(self, stream: AudioStream) -> SharedAudio:
        source = self._open_source(stream)
        key = (source.identity, stream.stream_id, stream.epoch, stream.state, stream.content_type)
        audio = self._open.get(key)
        if audio is None:
            audio = self._open[key] = SharedAudio(key, stream)
            self._connect(audio, source)
            audio.size = source.size
        else:
            source.close()
        return audio

    def _open_source(self, stream: AudioStream) -> AudioSource:
        locator: Locator = stream.locator
        try:
            return self._sources.open(locator)
        except AudioUnavailable as error:
            if stream.state is StreamState.FAILED:
                raise GenerationFailed(stream.reason) from error
            raise

    def _connect(self, audio: SharedAudio, source: AudioSource) -> None:
        audio.source = source
        source.on_arrival = partial(self._arrived, audio)

    def _arrived(self, audio: SharedAudio) -> None:
        self.on_arrival(audio)

    def _forget(self, batch: AudioBatch) -> None:
        self._cached_bytes -= len(batch.data)


def _goes_on(stream: AudioStream, current: AudioStream) -> bool:
    """Tell whether an audio that tells its own end goes on, now that its stream is `current`."""
    return stream.locator.tells_its_end and current.epoch == stream.epoch and current.state is not StreamState.FAILED


def _nobody_awaits(_audio: SharedAudio) -> None:
    pass
