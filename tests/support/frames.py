"""MP3 and ADTS frames that say how long they play, and whose content is random."""

import random
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

SAMPLES, SAMPLE_RATE = 1152, 44100
FRAME_SECONDS = SAMPLES / SAMPLE_RATE
BIT_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
"""Of MPEG 1, layer 3, in kbit/s."""

ADTS_FRAME_SECONDS = 1024 / SAMPLE_RATE


class Frames(NamedTuple):
    """Audio, and the offsets at which its frames begin, with its end."""

    data: bytes
    offsets: list[int]
    frame_seconds: float

    def seconds_before(self, offset: int) -> float:
        """Return when the byte at `offset` is played, in seconds: with the frame that it belongs to."""
        low, high = 0, len(self.offsets) - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.offsets[middle] <= offset else (low, middle - 1)
        return low * self.frame_seconds


def mp3_of(*parts: tuple[int, float], tag: bytes = b"") -> Frames:
    """Return MP3 of parts of some kbit/s and seconds each, as they are in VBR; after an ID3 tag with this content."""
    header = b"ID3\4\0\0" + bytes(len(tag) >> shift & 0x7F for shift in (21, 14, 7, 0)) if tag else b""
    source = random.Random(1)
    pieces = [header + tag] if tag else []
    padding = 0
    for kbit, seconds in parts:
        body = source.randbytes(1440)
        for _ in range(round(seconds / FRAME_SECONDS)):
            padding += SAMPLES // 8 * kbit * 1000 % SAMPLE_RATE
            is_padded, padding = divmod(padding, SAMPLE_RATE)
            length = SAMPLES // 8 * kbit * 1000 // SAMPLE_RATE + is_padded
            start = b"\xff\xfb" + bytes([(BIT_RATES.index(kbit) + 1) << 4 | is_padded << 1])
            pieces.append(start + body[: length - len(start)])
    return _joined(pieces, FRAME_SECONDS, has_tag=bool(tag))


def adts_of(lengths: Sequence[int]) -> Frames:
    """Return AAC frames of these lengths, each at least 7 bytes."""
    source = random.Random(2)
    pieces = []
    for length in lengths:
        header = 0xFFF << 44 | 0b0001 << 40 | 1 << 38 | 4 << 34 | 2 << 30 | length << 13 | 0x7FF << 2
        pieces.append(header.to_bytes(7) + source.randbytes(length - 7))
    return _joined(pieces, ADTS_FRAME_SECONDS)


def _joined(pieces: list[bytes], frame_seconds: float, *, has_tag: bool = False) -> Frames:
    offsets = list(accumulate(map(len, pieces), initial=0))
    return Frames(b"".join(pieces), offsets[has_tag:], frame_seconds)
