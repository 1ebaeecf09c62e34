"""The cache of recently read batches, for all listeners of the same audio."""

from collections import OrderedDict

from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.pacing import Pace
from asf.domain.streaming.shared_audio import SharedAudio

MAX_CACHED_BATCHES = 1024
"""Maximum batches in the cache. It bounds the overhead of many small ones."""

MAX_CACHED_BYTES = 32 * 1024 * 1024
"""Maximum bytes of audio in the cache. A batch has at most 64 KiB, or is a single larger chunk."""


class BatchCache:
    """A read-through cache of batches, through which all audio is read.

    It holds at most `max_batches` batches with at most `max_bytes` bytes of audio, and evicts the least recently used
    one first. `pace` determines the boundaries of batches.
    """

    def __init__(self, pace: Pace, max_batches: int = MAX_CACHED_BATCHES, max_bytes: int = MAX_CACHED_BYTES) -> None:
        self._pace = pace
        self._max_batches = max_batches
        self._max_bytes = max_bytes
        # The least recently used one first.
        self._batches: OrderedDict[tuple[SharedAudio, int], AudioBatch] = OrderedDict()
        self.cached_bytes = 0

    def __len__(self) -> int:
        """Return how many batches are cached."""
        return len(self._batches)

    def start_of(self, offset: int) -> int:
        """Return the offset of the batch that contains byte `offset`."""
        return offset - offset % self._pace.batch_bytes

    def batch(self, audio: SharedAudio, offset: int) -> AudioBatch | None:
        """Return the batch of `audio` that contains byte `offset`, as far as it has been written.

        Returns None while its bytes are being fetched; the source calls its `on_arrival` when the caller should try
        again. Raises `AudioUnavailable`.
        """
        batch_bytes = self._pace.batch_bytes
        number = offset // batch_bytes
        key = (audio, number)
        start = number * batch_bytes
        stop = min(start + batch_bytes, audio.size)
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
        batch = AudioBatch(start, known + read, self._pace.chunk_bytes)
        self._put(key, batch)
        return batch

    def evict(self, audio: SharedAudio) -> None:
        """Drop all batches of `audio`."""
        for key in [key for key in self._batches if key[0] is audio]:
            self.cached_bytes -= len(self._batches.pop(key).data)

    def _put(self, key: tuple[SharedAudio, int], batch: AudioBatch) -> None:
        shorter = self._batches.pop(key, None)
        if shorter is not None:
            self.cached_bytes -= len(shorter.data)
        self._batches[key] = batch
        self.cached_bytes += len(batch.data)
        while len(self._batches) > self._max_batches or self.cached_bytes > self._max_bytes:
            _, evicted = self._batches.popitem(last=False)
            self.cached_bytes -= len(evicted.data)
