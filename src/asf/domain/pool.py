"""Opened audio, shared by all its listeners."""

from collections import OrderedDict
from collections.abc import Hashable

from asf.domain.audio import AudioBatch
from asf.domain.pacing import Pace
from asf.domain.ports import AudioSource, AudioSources
from asf.domain.streams import AudioStream

MAX_CACHED_BATCHES = 1024
MAX_CACHED_BYTES = 32 * 1024 * 1024
"""Bounds of what is kept of audio that was read, for listeners that come by later. A batch has at most 64 KiB, or is
a single larger chunk."""


class SharedAudio:
    """One audio, held open while it has listeners."""

    def __init__(self, source: AudioSource) -> None:
        self.source = source
        self.size = source.size
        self.content_type = source.content_type
        self.listeners = 0


class AudioPool:
    """Opens audio for listeners, and lets those who listen to the same bytes share one source and what it yields.

    Batches that were used lately are kept; the ones unused for longest go first.
    """

    def __init__(self, sources: AudioSources, pace: Pace) -> None:
        self._sources = sources
        self._pace = pace
        self._open: dict[Hashable, SharedAudio] = {}
        self._batches: OrderedDict[tuple[SharedAudio, int], AudioBatch] = OrderedDict()
        self._cached_bytes = 0

    def __len__(self) -> int:
        """Return how many audios are open."""
        return len(self._open)

    def acquire(self, stream: AudioStream) -> SharedAudio:
        """Return the stream's audio as it is now; `release` it when done. Raises `AudioUnavailable`."""
        source = self._sources.open(stream.locator)
        audio = self._open.get(source.identity)
        if audio is None:
            audio = self._open[source.identity] = SharedAudio(source)
        else:
            source.close()
        audio.listeners += 1
        return audio

    def release(self, audio: SharedAudio) -> None:
        """Give back what `acquire` returned. The last one to do so closes the audio."""
        audio.listeners -= 1
        if audio.listeners:
            return
        del self._open[audio.source.identity]
        for key in [key for key in self._batches if key[0] is audio]:
            self._forget(self._batches.pop(key))
        audio.source.close()

    def batch(self, audio: SharedAudio, offset: int) -> AudioBatch:
        """Return the batch of `audio` in which byte `offset` lies. Raises `AudioUnavailable`."""
        number = offset // self._pace.batch_bytes
        key = (audio, number)
        batch = self._batches.get(key)
        if batch is not None:
            self._batches.move_to_end(key)
            return batch
        start = number * self._pace.batch_bytes
        stop = min(start + self._pace.batch_bytes, audio.size)
        batch = AudioBatch(start, audio.source.read(start, stop - start), self._pace.chunk_bytes)
        self._batches[key] = batch
        self._cached_bytes += len(batch.data)
        while len(self._batches) > MAX_CACHED_BATCHES or self._cached_bytes > MAX_CACHED_BYTES:
            self._forget(self._batches.popitem(last=False)[1])
        return batch

    def _forget(self, batch: AudioBatch) -> None:
        self._cached_bytes -= len(batch.data)
