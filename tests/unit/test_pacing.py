"""The pace: batches of whole chunks, bounded in bytes and in time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.domain.streaming.pacing import MAX_AHEAD_SECONDS, MAX_BATCH_BYTES, Pace

chunk_sizes = st.integers(1, 1048576)
intervals = st.one_of(st.just(0.0), st.floats(0.0001, 60))


@given(chunk_sizes, intervals)
def test_a_batch_is_whole_chunks_within_both_bounds(chunk_bytes: int, chunk_seconds: float) -> None:
    """Only a single chunk may be larger or last longer than the bounds."""
    pace = Pace(chunk_bytes, chunk_seconds)
    assert pace.batch_bytes % chunk_bytes == 0
    assert pace.batch_bytes >= chunk_bytes
    if pace.batch_bytes > chunk_bytes:
        assert pace.batch_bytes <= MAX_BATCH_BYTES
        assert pace.seconds_for(pace.batch_bytes) <= MAX_AHEAD_SECONDS


@given(chunk_sizes, intervals, st.integers(0, 2**40))
def test_every_offset_lies_in_one_batch(chunk_bytes: int, chunk_seconds: float, offset: int) -> None:
    """A batch ends after the offset, by no more than its length, on a multiple of it."""
    pace = Pace(chunk_bytes, chunk_seconds)
    end = pace.batch_end(offset)
    assert offset < end <= offset + pace.batch_bytes
    assert end % pace.batch_bytes == 0


def test_the_default_pace_groups_sixteen_chunks() -> None:
    """4096 bytes every 10 ms: 64 KiB every 160 ms."""
    pace = Pace(4096, 0.01)
    assert pace.batch_bytes == 65536
    assert pace.seconds_for(pace.batch_bytes) == pytest.approx(0.16)


@pytest.mark.parametrize(
    "arguments", [(0, 0.01), (-1, 0.01), (4096, -0.1), (4096, float("nan")), (4096, float("inf"))]
)
def test_invalid_arguments_are_rejected(arguments: tuple[int, float]) -> None:
    """With a ValueError."""
    with pytest.raises(ValueError, match="must be"):
        Pace(*arguments)
