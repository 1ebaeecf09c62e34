"""The open audio of this process, by stream."""

import logging
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from operator import attrgetter

from asf.domain.errors import AudioUnavailable, GenerationFailed, InternalError
from asf.domain.signal import Signal
from asf.domain.streaming.batch_cache import BatchCache
from asf.domain.streaming.ports import AudioSource, AudioSources
from asf.domain.streaming.shared_audio import SharedAudio
from asf.domain.streams.stream import AudioStream, Locator, StreamState

logger = logging.getLogger(__name__)


class AudioPool:
    """Opens audio for listeners. All listeners of the same bytes share one source, and its `batches`.

    `on_arrival` is called with the audio when bytes that were being fetched may have arrived. `is_local` is whether
    opening the audio at a locator waits for no other machine or process.
    """

    def __init__(
        self,
        sources: AudioSources,
        batches: BatchCache,
        is_local: Callable[[Locator], bool] = attrgetter("is_local"),
    ) -> None:
        self.batches = batches
        self.on_arrival: Signal[SharedAudio] = Signal()
        self._sources = sources
        self._is_local = is_local
        self._open: dict[Hashable, SharedAudio] = {}
        self._as_announced: dict[Hashable, SharedAudio] = {}
        """Open audio that does not grow, by what was announced of it."""

    def __len__(self) -> int:
        """Return how many sources are open."""
        return len(self._open)

    def is_local(self, stream: AudioStream) -> bool:
        """Return whether `acquire` waits for no other machine or process."""
        return self._is_local(stream.locator)

    def acquire(self, stream: AudioStream) -> SharedAudio:
        """Return the stream's audio as it is now; pair every call with `release`.

        May yield to other tasks; re-check state afterwards. Raises `AudioUnavailable`, which names the audio, or
        `GenerationFailed` for a failed stream of which nothing was written.
        """
        try:
            audio = self._opened(stream)
        except AudioUnavailable as error:
            error.name_audio(stream.locator.text)
            raise
        audio.retain()
        return audio

    def share(self, audio: SharedAudio) -> None:
        """Hold acquired audio for one more listener; pair every call with `release`."""
        audio.retain()

    def growing(self, stream_id: str, epoch: str) -> SharedAudio | None:
        """Return the open audio of this epoch that may still grow, or None."""
        audio = self._open.get(_growing_key(stream_id, epoch))
        return audio if audio is not None and audio.growing else None

    def growing_of(self, stream_id: str) -> list[SharedAudio]:
        """Return a stream's open audio that may still grow: one for each of its epochs that has listeners."""
        return [audio for audio in self._open.values() if audio.growing and audio.stream.stream_id == stream_id]

    def release(self, audio: SharedAudio) -> None:
        """Release what `acquire` returned. The call for the last listener closes the audio."""
        if not audio.release():
            return
        if self._open.get(audio.key) is audio:  # Audio that was given up may have been replaced.
            del self._open[audio.key]
        if self._as_announced.get(_announced_key(audio.stream)) is audio:
            del self._as_announced[_announced_key(audio.stream)]
        self.batches.evict(audio)
        audio.close()

    def refresh(self, audio: SharedAudio) -> None:
        """Update the size of growing audio, which is opened as soon as something has been written.

        Raises `AudioUnavailable` when it can no longer be read.
        """
        self._open_if_written(audio)
        audio.refresh()

    def measure(self, audio: SharedAudio) -> None:
        """Do as `refresh`, but find what has been written by now, which may yield."""
        self._open_if_written(audio)
        audio.measure()

    def finalize(self, audio: SharedAudio, current: AudioStream | None) -> None:
        """Finalize growing audio whose stream is now `current` (None: it was deleted). May yield.

        What has been written by now can still be read; then the audio ends as the stream did. Audio with an end
        marker is not finalized by the announcement that it is complete.
        """
        if current is not None and _keeps_growing(audio.stream, current):
            return
        try:
            self._open_if_written(audio)
            audio.finalize(current)
        except Exception:
            logger.exception("Finalizing the audio of stream %r failed", audio.stream.stream_id)
            audio.give_up(InternalError())

    def _open_if_written(self, audio: SharedAudio) -> None:
        if audio.source is None:
            with suppress(AudioUnavailable):
                self._connect(audio, self._sources.open(audio.stream.locator, growing=True))

    def _opened(self, stream: AudioStream) -> SharedAudio:
        if stream.locator.has_end_marker and stream.state is not StreamState.FAILED:
            return self._with_end_marker(stream)
        return self._growing(stream) if stream.state is StreamState.GENERATING else self._ended(stream)

    def _growing(self, stream: AudioStream) -> SharedAudio:
        key = _growing_key(stream.stream_id, stream.epoch)
        audio = self._open.get(key)
        if audio is None or not audio.growing:  # Audio that was given up may grow again, for later listeners.
            audio = SharedAudio(key, stream, self._sources.content_type_of(stream.locator))
            try:
                self.refresh(audio)
            except BaseException:
                audio.close()
                raise
            self._open[key] = audio
        return audio

    def _with_end_marker(self, stream: AudioStream) -> SharedAudio:
        """Return audio that grows until its end marker, whatever was announced."""
        key = _growing_key(stream.stream_id, stream.epoch)
        audio = self._shared(key)
        if audio is None:
            source = self._sources.open(stream.locator, growing=True)
            audio = self._shared(key)
            if audio is not None:  # Another task has opened it meanwhile.
                source.close()
        if audio is None:
            audio = SharedAudio(key, replace(stream, state=StreamState.GENERATING))
            self._connect(audio, source)
            try:
                audio.refresh()
            except BaseException:
                audio.close()
                raise
            self._open[key] = audio
        elif audio.growing:
            audio.refresh()
        return audio

    def _shared(self, key: Hashable) -> SharedAudio | None:
        """Return open audio with an end marker, unless it was given up before it reached that."""
        audio = self._open.get(key)
        if audio is None or audio.source is None:
            return None
        return audio if audio.growing or audio.source.ending is not None else None

    def _ended(self, stream: AudioStream) -> SharedAudio:
        known = self._as_announced.get(_announced_key(stream))
        if known is not None and known.source is not None and known.source.is_current():
            return known
        source = self._open_source(stream)
        key = (source.identity, stream.stream_id, stream.epoch, stream.state, stream.content_type)
        audio = self._open.get(key)
        if audio is None:
            audio = self._open[key] = SharedAudio(key, stream)
            self._connect(audio, source)
        else:
            source.close()
        self._as_announced[_announced_key(audio.stream)] = audio
        return audio

    def _open_source(self, stream: AudioStream) -> AudioSource:
        try:
            return self._sources.open(stream.locator)
        except AudioUnavailable as error:
            if stream.state is StreamState.FAILED:
                raise GenerationFailed(stream.reason) from error
            raise

    def _connect(self, audio: SharedAudio, source: AudioSource) -> None:
        audio.connect(source)
        source.on_arrival = partial(self.on_arrival, audio)


def _announced_key(stream: AudioStream) -> Hashable:
    return (stream.locator, stream.stream_id, stream.epoch, stream.state, stream.content_type)


def _growing_key(stream_id: str, epoch: str) -> Hashable:
    return (stream_id, epoch)


def _keeps_growing(stream: AudioStream, current: AudioStream) -> bool:
    """Return whether audio with an end marker may still grow now that its stream is `current`."""
    return stream.locator.has_end_marker and current.epoch == stream.epoch and current.state is not StreamState.FAILED
