"""The cache of batches: bounded in bytes and in entries, and never in the way of the bytes."""

import random

from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.memory import InMemoryAudioSource
from asf.domain.streaming.batch_cache import BatchCache
from asf.domain.streaming.pacing import Pace
from asf.domain.streaming.shared_audio import SharedAudio
from asf.domain.streams.stream import AudioStream, FileLocator, StreamState

PACE = Pace(100, 0.0)
AUDIO = random.Random(5).randbytes(20 * PACE.batch_bytes + 7)


class CountedAudio(SharedAudio):
    """An audio in memory that counts what is read of it. `size` bytes have been written."""

    def __init__(self, size: int = len(AUDIO)) -> None:
        super().__init__(object(), AudioStream("s", FileLocator("one"), StreamState.GENERATING))
        self.connect(InMemoryAudioSource({"one": AUDIO}, "one"))
        self.size = size
        self.reads: list[tuple[int, int]] = []
        assert self.source is not None
        read = self.source.read

        def counted(offset: int, length: int) -> bytes | None:
            self.reads.append((offset, length))
            return read(offset, length)

        self.source.read = counted  # type: ignore[method-assign]


@given(
    max_batches=st.integers(0, 5),
    max_bytes=st.integers(0, 5 * PACE.batch_bytes),
    steps=st.lists(st.tuples(st.integers(0, 2), st.integers(0, len(AUDIO) - 1), st.booleans())),
)
def test_bytes_are_right_and_bounds_are_kept(
    max_batches: int, max_bytes: int, steps: list[tuple[int, int, bool]]
) -> None:
    """Whatever is read or evicted in which order."""
    cache = BatchCache(PACE, max_batches, max_bytes)
    audios = [CountedAudio() for _ in range(3)]
    for number, offset, evict in steps:
        batch = cache.batch(audios[number], offset)
        assert batch is not None
        assert batch.offset <= offset < batch.end <= batch.offset + PACE.batch_bytes
        assert batch.data == AUDIO[batch.offset : batch.end]
        if evict:
            cache.evict(audios[number])
        assert len(cache) <= max_batches
        assert cache.cached_bytes <= max_bytes
    for audio in audios:
        cache.evict(audio)
    assert (len(cache), cache.cached_bytes) == (0, 0)


def test_the_batch_that_was_not_used_for_longest_is_evicted() -> None:
    """The others are read once."""
    cache, audio = BatchCache(PACE, max_batches=2), CountedAudio()
    size = PACE.batch_bytes
    for number in (0, 1, 0, 2, 0, 1):
        cache.batch(audio, number * size)
    assert [offset // size for offset, _ in audio.reads] == [0, 1, 2, 1]


def test_of_a_batch_that_has_grown_the_rest_is_read() -> None:
    """And it counts once."""
    cache, audio = BatchCache(PACE), CountedAudio(size=10)
    first = cache.batch(audio, 0)
    audio.size = 25
    second = cache.batch(audio, 10)
    assert first is not None
    assert second is not None
    assert (first.data, second.data) == (AUDIO[:10], AUDIO[:25])
    assert audio.reads == [(0, 10), (10, 15)]
    assert (len(cache), cache.cached_bytes) == (1, 25)


def test_audios_do_not_share_batches() -> None:
    """Even where their bytes are equal; evicting one leaves the other."""
    cache, one, other = BatchCache(PACE), CountedAudio(), CountedAudio()
    batch = cache.batch(other, 0)
    assert cache.batch(one, 0) is not batch
    cache.evict(one)
    assert cache.batch(other, 0) is batch
