"""Opened audio, read once for all its listeners."""

from collections import OrderedDict

from asf.domain.audio import AudioBatch
from asf.domain.pacing import Pace
from asf.domain.ports import AudioSource, AudioSources
from asf.domain.streams import AudioStream, Locator

MAX_CACHED_BATCHES = 512
"""Batches kept for listeners that come by later: at most 32 MiB of audio (a batch has at most 64 KiB), and as
much again for what emitters made of them."""


class SharedAudio:
    """The audio of one locator, held open while it has listeners."""

    def __init__(self, locator: Locator, source: AudioSource) -> None:
        self.locator = locator
        self.source = source
        self.size = source.size
        self.content_type = source.content_type
        self.listeners = 0


class AudioPool:
    """Opens each audio once, however many listeners it has, and reads each of its batches once in a while.

    Recently used batches are kept, the least recently used go first.
    """

    def __init__(self, sources: AudioSources, pace: Pace) -> None:
        self._sources = sources
        self._pace = pace
        self._open: dict[Locator, SharedAudio] = {}
        self._batches: OrderedDict[tuple[SharedAudio, int], AudioBatch] = OrderedDict()

    def __len__(self) -> int:
        """Return how many audios are open."""
        return len(self._open)

    def acquire(self, stream: AudioStream) -> SharedAudio:
        """Return the stream's audio, opened if it is not open yet; `release` it when done.

        Raises `AudioUnavailable`.
        """
        audio = self._open.get(stream.locator)
        if audio is None:
            audio = SharedAudio(stream.locator, self._sources.open(stream.locator))
            self._open[stream.locator] = audio
        audio.listeners += 1
        return audio

    def release(self, audio: SharedAudio) -> None:
        """Give back what `acquire` returned. The last one to do so closes the audio."""
        audio.listeners -= 1
        if audio.listeners:
            return
        del self._open[audio.locator]
        for key in [key for key in self._batches if key[0] is audio]:
            del self._batches[key]
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
        if len(self._batches) > MAX_CACHED_BATCHES:
            self._batches.popitem(last=False)
        return batch
