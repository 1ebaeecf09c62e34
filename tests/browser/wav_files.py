"""WAV files as text-to-speech engines write them, whose second n is a sine of 300 + 40 n Hz."""

import math
import struct
from array import array

RATE = 22050

UNKNOWN = 0xFFFFFFFF

LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf60.16.100\0"
"""A chunk as ffmpeg writes it."""

ID3 = b"id3 " + struct.pack("<I", 22050) + b"ID3\x04" + bytes((index * 73) & 0xFF for index in range(22046))
"""A chunk with a tag that would be half a second of noise."""


def samples(first: int, after: int) -> bytes:
    """Return the samples of the seconds from `first` to before `after`: 16 bits, one channel."""
    return array(
        "h",
        [
            round(16000 * math.sin(2 * math.pi * (300 + 40 * second) * index / RATE))
            for second in range(first, after)
            for index in range(RATE)
        ],
    ).tobytes()


def header(data_bytes: int, riff_bytes: int | None = None) -> bytes:
    """Return what comes before the samples, with sizes that need not be right."""
    riff_bytes = min(UNKNOWN, data_bytes + 36) if riff_bytes is None else riff_bytes
    form = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", riff_bytes)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + struct.pack("<I", data_bytes)
    )


def whole(first: int, after: int) -> bytes:
    """Return a file with those seconds, whose sizes are right."""
    data = samples(first, after)
    return header(len(data)) + data
