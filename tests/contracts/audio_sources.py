"""What every `AudioSources` and its `AudioSource` promise."""

import threading
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.domain.errors import AudioChanged, AudioUnavailable, InvalidFilepath
from asf.domain.streaming.ports import AudioSource, AudioSources
from tests.support.bounds import PATIENCE_SECONDS

AUDIO = bytes(range(256)) * 40


class AudioSourcesContract:
    """Inherit, and provide the fixtures: `sources`, the path of an audio with the bytes `AUDIO`, and two others."""

    @pytest.fixture
    def sources(self) -> AudioSources:
        raise NotImplementedError

    @pytest.fixture
    def path(self) -> str:
        """Where `AUDIO` is."""
        raise NotImplementedError

    @pytest.fixture
    def missing_path(self) -> str:
        """A path that is allowed, where nothing is."""
        raise NotImplementedError

    @pytest.fixture
    def forbidden_path(self) -> str:
        """A path that is not allowed."""
        raise NotImplementedError

    def test_yields_the_bytes(self, sources: AudioSources, path: str) -> None:
        source = sources.open(sources.locate(path))
        assert source.size == len(AUDIO)
        assert read(source, 0, source.size) == AUDIO
        source.close()

    def test_any_cuts_give_the_same_bytes(self, sources: AudioSources, path: str) -> None:
        source = sources.open(sources.locate(path))

        @given(cuts=st.lists(st.integers(0, len(AUDIO)), max_size=10))
        def check(cuts: list[int]) -> None:
            places = sorted({0, *cuts, len(AUDIO)})
            assert b"".join(read(source, left, right - left) for left, right in pairwise(places)) == AUDIO

        check()
        source.close()

    def test_reading_past_the_end_is_an_error(self, sources: AudioSources, path: str) -> None:
        source = sources.open(sources.locate(path))
        with pytest.raises(AudioUnavailable):
            source.read(source.size - 1, 2)
        source.close()

    def test_closing_twice_does_no_harm_but_reading_then_fails(self, sources: AudioSources, path: str) -> None:
        source = sources.open(sources.locate(path))
        source.close()
        source.close()
        with pytest.raises(AudioUnavailable):
            source.read(0, 1)

    def test_what_was_cancelled_can_be_read_nevertheless(self, sources: AudioSources, path: str) -> None:
        source = sources.open(sources.locate(path))
        source.cancel(0)
        source.read(0, 10)
        source.cancel(0)
        assert read(source, 0, source.size) == AUDIO
        source.cancel(0)
        source.close()
        source.cancel(0)

    def test_two_opened_ones_are_independent(self, sources: AudioSources, path: str) -> None:
        first, second = sources.open(sources.locate(path)), sources.open(sources.locate(path))
        first.close()
        assert read(second, 0, 10) == AUDIO[:10]
        second.close()

    def test_what_is_missing_can_be_located_but_not_opened(self, sources: AudioSources, missing_path: str) -> None:
        locator = sources.locate(missing_path)
        with pytest.raises(AudioUnavailable):
            sources.open(locator)

    def test_what_is_forbidden_cannot_be_located(self, sources: AudioSources, forbidden_path: str) -> None:
        with pytest.raises(InvalidFilepath) as refusal:
            sources.locate(forbidden_path)
        assert refusal.value.details

    def test_the_name_tells_the_content_type_of_what_is_missing(
        self, sources: AudioSources, missing_path: str
    ) -> None:
        assert sources.content_type_of(sources.locate(missing_path)) == "audio/mpeg"

    def test_has_a_content_type(self, sources: AudioSources, path: str) -> None:
        source = sources.open(sources.locate(path))
        assert source.content_type == "audio/mpeg"
        source.close()


class GrowingAudioSourcesContract(AudioSourcesContract):
    """The same for sources of audio that may grow."""

    def grow(self, path: str, audio: bytes) -> None:
        """Let the audio at `path` have these bytes from now on, by writing on at its end or by cutting it short."""
        raise NotImplementedError

    def rewrite(self, path: str, audio: bytes) -> None:
        """Let the audio at `path` be cut to nothing and written anew with these bytes."""
        raise NotImplementedError

    def move(self, path: str) -> None:
        """Let the audio at `path` be somewhere else."""
        raise NotImplementedError

    def test_a_growing_audio_yields_what_is_written(self, sources: AudioSources, path: str) -> None:
        source = sources.open(sources.locate(path), growing=True)
        refreshed(source, len(AUDIO))
        self.grow(path, AUDIO + b"more")
        refreshed(source, len(AUDIO) + 4)
        assert source.size == len(AUDIO) + 4
        assert read(source, len(AUDIO) - 2, 6) == AUDIO[-2:] + b"more"
        assert source.refresh() == len(AUDIO) + 4
        source.close()

    def test_a_growing_audio_that_shrinks_is_an_error(self, sources: AudioSources, path: str) -> None:
        source = opened_growing(sources, path)
        self.grow(path, AUDIO[:-1])
        with pytest.raises(AudioUnavailable):
            refreshed(source, None)
        source.close()

    def test_a_growing_audio_that_is_begun_anew_is_an_error(self, sources: AudioSources, path: str) -> None:
        """However long the new one is by the time of the next look; no byte of it is read."""
        source = opened_growing(sources, path)
        self.rewrite(path, b"x" * (len(AUDIO) + 10))
        never_other_bytes(source)
        with pytest.raises(AudioChanged):
            refreshed(source, None)
        never_other_bytes(source)
        source.close()

    def test_a_growing_audio_that_moves_away_is_an_error(self, sources: AudioSources, path: str) -> None:
        source = opened_growing(sources, path)
        self.move(path)
        with pytest.raises(AudioChanged):
            refreshed(source, None)
        source.close()

    def test_a_growing_audio_is_measured_as_it_is_now(self, sources: AudioSources, path: str) -> None:
        """Without waiting for somebody who refreshes it."""
        source = sources.open(sources.locate(path), growing=True)
        assert source.measure() == source.size == len(AUDIO)
        self.grow(path, AUDIO + b"more")
        assert source.measure() == len(AUDIO) + 4
        assert read(source, len(AUDIO), 4) == b"more"
        self.grow(path, AUDIO + b"more and more")
        assert source.measure() == len(AUDIO) + 13
        source.close()

    def test_an_audio_that_has_settled_has_all_that_was_written(self, sources: AudioSources, path: str) -> None:
        source = sources.open(sources.locate(path), growing=True)
        self.grow(path, AUDIO + b"more")
        assert source.finalize() == source.size == len(AUDIO) + 4
        assert read(source, len(AUDIO), 4) == b"more"
        again = sources.open(sources.locate(path))
        assert source.identity == again.identity
        source.close()
        again.close()

    @pytest.mark.parametrize("length", [10, len(AUDIO), len(AUDIO) + 10])
    def test_an_audio_that_has_settled_does_not_change(self, sources: AudioSources, path: str, length: int) -> None:
        source = sources.open(sources.locate(path), growing=True)
        source.finalize()
        self.rewrite(path, b"x" * length)
        never_other_bytes(source)
        source.close()

    @pytest.mark.parametrize("change", [b"x" * (len(AUDIO) + 10), AUDIO[:-1]])
    def test_settling_finds_what_has_changed(self, sources: AudioSources, path: str, change: bytes) -> None:
        source = opened_growing(sources, path)
        self.rewrite(path, change)
        with pytest.raises(AudioChanged):
            source.finalize()
        source.close()

    def test_what_is_not_growing_keeps_its_length(self, sources: AudioSources, path: str) -> None:
        """What is written on is not heard by those who came before; the others get another audio."""
        source = sources.open(sources.locate(path))
        self.grow(path, AUDIO + b"more")
        other = sources.open(sources.locate(path))
        assert source.size == len(AUDIO)
        assert other.size == len(AUDIO) + 4
        assert source.identity != other.identity
        source.close()
        other.close()


def opened_growing(sources: AudioSources, path: str) -> AudioSource:
    """Open the growing audio that has the bytes `AUDIO` so far, and wait until their number is known."""
    source = sources.open(sources.locate(path), growing=True)
    refreshed(source, len(AUDIO))
    return source


def refreshed(source: AudioSource, size: int | None) -> None:
    """Refresh until the audio has this size; with None, until that raises."""
    end = time.monotonic() + PATIENCE_SECONDS
    while source.refresh() != size:
        assert time.monotonic() < end
        time.sleep(0.001)


def read(source: AudioSource, offset: int, length: int) -> bytes:
    """Read, and wait for what has to be fetched first."""
    arrived = threading.Event()
    source.on_arrival = arrived.set
    while (data := source.read(offset, length)) is None:
        assert arrived.wait(PATIENCE_SECONDS)
        arrived.clear()
    return data


def never_other_bytes(source: AudioSource) -> None:
    """Check that reading gives the bytes that were opened, or an error."""
    try:
        data = read(source, 0, 10)
    except AudioUnavailable:
        return
    assert data == AUDIO[:10]
