"""How long audio plays is found in its bytes, however they are cut, and nothing is found in other bytes."""

import random
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asf.adapters.audio_formats import WavScanner, scanner_of
from asf.adapters.audio_formats.scanners import SCANNERS
from asf.domain.streaming.ports import DurationScanner
from tests.support.examples import examples
from tests.support.frames import adts_of, mp3_of

SEVERAL_FRAMES = 0.2
"""Seconds of several frames: so much may be missing where the bytes are cut."""

VBR = mp3_of((32, 3.0), (320, 2.0), (128, 4.0), (40, 1.0), (192, 3.0))
TAGGED = mp3_of((128, 5.0), tag=random.Random(3).randbytes(150_000))
AAC = adts_of([200 + number * 37 % 300 for number in range(600)])
AUDIO = {"vbr": ("audio/mpeg", VBR), "tag": ("audio/mpeg", TAGGED), "aac": ("audio/aac", AAC)}
pieces_of = st.lists(st.integers(300, 30_000), min_size=1, max_size=8)


def begin(scanner: DurationScanner, data: bytes) -> None:
    """Hand over what it asks for, as often as it asks."""
    for _ in range(3):
        if scanner.beginning_bytes:
            scanner.begin(data[: scanner.beginning_bytes])


def scan(content_type: str, data: bytes, sizes: Sequence[int] = (65536,), start: int = 0) -> tuple[int, float]:
    """Scan the data from an offset on, in pieces of these sizes in turn; return the bytes and seconds found."""
    scanner = scanner_of(content_type)
    assert scanner is not None
    begin(scanner, data)
    found, seconds, number = 0, 0.0, 0
    while start < len(data):
        size = sizes[number % len(sizes)]
        piece_found, piece_seconds = scanner.scan(start, data[start : start + size])
        found, seconds = found + piece_found, seconds + piece_seconds
        start, number = start + size, number + 1
    return found, seconds


@pytest.mark.parametrize("name", list(AUDIO))
class TestFrames:
    """Audio in frames."""

    @settings(max_examples=examples(25))
    @given(sizes=pieces_of)
    def test_all_of_it_counts_however_it_is_cut(self, name: str, sizes: list[int]) -> None:
        content_type, audio = AUDIO[name]
        found, seconds = scan(content_type, audio.data, sizes)
        assert len(audio.data) - 10 <= found <= len(audio.data)  # A tag may be recognized by its tenth byte.
        assert seconds == pytest.approx((len(audio.offsets) - 1) * audio.frame_seconds)

    @settings(max_examples=examples(25))
    @given(sizes=pieces_of, start=st.floats(0, 0.9))
    def test_it_counts_from_any_offset_on(self, name: str, sizes: list[int], start: float) -> None:
        content_type, audio = AUDIO[name]
        offset = int(start * len(audio.data))
        _, seconds = scan(content_type, audio.data, sizes, offset)
        expected = audio.seconds_before(len(audio.data)) - audio.seconds_before(offset)
        assert expected - SEVERAL_FRAMES <= seconds <= expected + 1e-6

    @settings(max_examples=examples(25))
    @given(cuts=st.lists(st.integers(0, 10), min_size=2, max_size=8))
    def test_pieces_in_any_order_never_count_for_more(self, name: str, cuts: list[int]) -> None:
        content_type, audio = AUDIO[name]
        scanner = scanner_of(content_type)
        assert scanner is not None
        size = len(audio.data) // 10
        for cut in cuts:
            found, seconds = scanner.scan(cut * size, audio.data[cut * size : (cut + 1) * size])
            before, after = audio.seconds_before(cut * size), audio.seconds_before((cut + 1) * size)
            assert seconds <= after - before + SEVERAL_FRAMES
            assert found <= size + 10_000


@pytest.mark.parametrize("name", list(AUDIO))
def test_single_bytes_are_put_together(name: str) -> None:
    """As slow producers write them."""
    content_type, audio = AUDIO[name]
    start = len(audio.data) - 20_000
    _, seconds = scan(content_type, audio.data[start:], [1])
    expected = audio.seconds_before(len(audio.data)) - audio.seconds_before(start)
    assert seconds == pytest.approx(expected, abs=SEVERAL_FRAMES)


@pytest.mark.parametrize("content_type", ["audio/mpeg", "audio/aac"])
def test_other_bytes_are_no_frames(content_type: str) -> None:
    """Random ones, and zeros."""
    assert scan(content_type, random.Random(4).randbytes(4_000_000)) == (0, 0.0)
    assert scan(content_type, bytes(4_000_000)) == (0, 0.0)


def test_what_separates_frames_is_skipped() -> None:
    """A file that was joined from two, with something in between."""
    between = random.Random(5).randbytes(20_000)
    _, seconds = scan("audio/mpeg", VBR.data + between + TAGGED.data, [5000])
    assert seconds == pytest.approx(13 + 5, abs=SEVERAL_FRAMES)


@pytest.mark.parametrize("content_type", sorted(SCANNERS))
@settings(max_examples=examples(25))
@given(st.binary(max_size=3000), st.binary(max_size=300), pieces_of)
def test_no_bytes_raise(content_type: str, first: bytes, second: bytes, sizes: list[int]) -> None:
    """Whatever is announced under whatever type."""
    found, seconds = scan(content_type, first + b"moovmdhdstcostszsttsmooftfdt" + second, sizes)
    assert found >= 0
    assert seconds >= 0


def test_types_have_parameters_and_any_case() -> None:
    """As backends announce them."""
    assert scanner_of("audio/MPEG; charset=binary") is not None
    assert scanner_of("application/octet-stream") is None
    assert scanner_of("audio/midi") is None


def wav_of(seconds: int, extra: bytes = b"") -> bytes:
    """Return mono audio of 16 bits at 8 kHz, with a chunk before the format."""
    chunk = b"JUNK" + struct.pack("<I", len(extra)) + extra if extra else b""
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    return b"RIFF\0\0\0\0WAVE" + chunk + form + b"data\0\0\0\0" + bytes(16000 * seconds)


@pytest.mark.parametrize("extra", [b"", b"12", bytes(100)])
def test_wav_has_a_constant_rate(extra: bytes) -> None:
    """From any offset on."""
    data = wav_of(20, extra)
    assert scan("audio/wav", data)[1] == pytest.approx(20, abs=0.1)
    assert scan("audio/wav", data, [1000], len(data) // 2)[1] == pytest.approx(10, abs=0.1)


def test_growing_audio_begins_with_what_there_is() -> None:
    """The beginning is asked for until it says what is needed."""
    data, scanner = wav_of(1), WavScanner()
    scanner.begin(data[:20])
    assert scanner.beginning_bytes
    scanner.begin(data[:44])
    assert not scanner.beginning_bytes
    assert scanner.scan(44, bytes(16000)) == (16000, 1.0)
