"""Media types by name and by first bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.media_types import media_type_of, named_type, sniffed_type
from asf.domain.streaming.audio import SNIFFED_BYTES

REST = bytes(SNIFFED_BYTES)


@pytest.mark.parametrize(
    ("suffix", "media_type"),
    [
        ("m4b", "audio/mp4"),
        ("mka", "audio/matroska"),
        ("weba", "audio/webm"),
        ("aif", "audio/aiff"),
        ("AIFF", "audio/aiff"),
        ("amr", "audio/amr"),
        ("caf", "audio/x-caf"),
        ("MP3", "audio/mpeg"),
        ("txt", None),
    ],
)
def test_types_by_name(suffix: str, media_type: str | None) -> None:
    """Suffixes count in any case."""
    assert named_type(f"/a.b/c.{suffix}") == media_type


def ebml(doctype: bytes) -> bytes:
    """Return the head of a Matroska file."""
    return b"\x1a\x45\xdf\xa3\x9fB\x86\x81\1B\xf7\x81\1B\xf2\x81\4B\xf3\x81\x08B\x82" + doctype


@pytest.mark.parametrize(
    ("beginning", "media_type"),
    [
        # MPEG audio: 1, 2 and 2.5, layers III and II, with and without CRC, and behind a tag.
        *((b"\xff" + bytes([second]) + b"\x90\x00", "audio/mpeg") for second in b"\xe2\xe3\xf2\xf3\xfa\xfb\xfc\xfd"),
        (b"ID3\x04\0\0\0\0\0\0", "audio/mpeg"),
        # ADTS: MPEG-4 and MPEG-2, with and without CRC.
        *((b"\xff" + bytes([second]) + b"\x50\x80", "audio/aac") for second in b"\xf0\xf1\xf8\xf9"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"RF64\xff\xff\xff\xffWAVEds64", "audio/wav"),
        (b"BW64\xff\xff\xff\xffWAVEds64", "audio/wav"),
        (b"FORM\0\0\0\0AIFFCOMM", "audio/aiff"),
        (b"FORM\0\0\0\0AIFCFVER", "audio/aiff"),
        (b"caff\0\1\0\0desc", "audio/x-caf"),
        (b"#!AMR\n", "audio/amr"),
        (b"#!AMR-WB\n", "audio/amr-wb"),
        (b"OggS\0\2", "audio/ogg"),
        (b"fLaC\0\0\0\x22", "audio/flac"),
        (b"\0\0\0\x1cftypM4A \0\0\2\0", "audio/mp4"),
        (b"\0\0\0\x1cftypM4B \0\0\2\0M4B mp42isom", "audio/mp4"),
        (b"\0\0\0\x1cftypiso5\0\0\2\0iso5mp41", "audio/mp4"),
        (ebml(b"\x84webm"), "audio/webm"),
        (ebml(b"\x88matroska"), "audio/matroska"),
        # No audio, and reserved values in what looks like a frame.
        (b"%PDF-1.4\n", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"PK\x03\x04", None),
        (b"<html>", None),
        ("text".encode("utf-16"), None),
        (b"\xff\xe3\xf0\x00", None),
        (b"\xff\xeb\x90\x00", None),
        (b"\xff\xe3\x9c\x00", None),
        (b"\xff\xf0\x7c\x80", None),
        (b"", None),
    ],
)
def test_types_by_the_first_bytes(beginning: bytes, media_type: str | None) -> None:
    """Of a file without a suffix. The name takes precedence."""
    assert media_type_of("", beginning + REST if beginning else b"") == media_type
    assert media_type_of("a.wav", beginning) == "audio/wav"


@given(st.binary(max_size=64))
def test_nothing_but_audio_is_ever_told(beginning: bytes) -> None:
    """Whatever the bytes are."""
    assert (sniffed_type(beginning) or "audio/").startswith("audio/")
