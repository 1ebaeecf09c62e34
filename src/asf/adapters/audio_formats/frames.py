"""MP3 and ADTS: frames that follow each other, each with a header that says how long it is."""

import re
from abc import abstractmethod
from itertools import product
from typing import NamedTuple

HEADER_BYTES = 7
"""Length of an ADTS header; those of MP3 are shorter."""

CONFIRMATIONS = 3
"""How many headers must follow each other before bytes count as frames: in random bytes three hardly ever do."""

KEPT_BYTES = 8192
"""How much of what is not understood is kept for the next piece. At least three frames of MP3 fit into it."""

FRUITLESS_BYTES = 1024 * 1024
"""How many bytes without a frame are searched, until the audio counts as something else."""

ID3_HEADER_BYTES = 10
ID3_FOOTER_FLAG = 0x10


class Frame(NamedTuple):
    """What a header says: the bytes and the seconds of its frame, and what is the same for all frames."""

    length: int
    seconds: float
    kind: int


class FrameScanner:
    """Implements the port `DurationScanner` for frames. What precedes and separates them plays for 0 seconds."""

    beginning_bytes = 0

    def __init__(self) -> None:
        self._end: int | None = None
        self._rest = b""
        self._next: int | None = None
        self._tag_end = 0
        self._kind = -1
        self._fruitless = 0

    def begin(self, beginning: bytes) -> None:
        """Do nothing: each frame says all there is to know."""

    def scan(self, offset: int, data: bytes) -> tuple[int, float]:
        """Return the bytes and the seconds of the frames that begin in `data`; see the port."""
        if self._fruitless > FRUITLESS_BYTES:
            return 0, 0.0
        if offset != self._end:
            self._rest, self._next = b"", None
        start, self._end = offset, offset + len(data)
        data = self._rest + data
        offset = self._end - len(data)
        if offset == 0:
            if len(data) < ID3_HEADER_BYTES:
                self._rest = data
                return 0, 0.0
            self._next = self._tag_end = tag_bytes(data)
        tagged = max(0, min(self._tag_end, self._end) - start)
        found, seconds, position = self._frames(data, None if self._next is None else self._next - offset)
        self._next = None if position is None else offset + position
        unread = len(data) - KEPT_BYTES if position is None else position
        self._rest = data[max(0, unread) :]
        self._fruitless = 0 if found or tagged else self._fruitless + self._end - start
        return found + tagged, seconds

    def _frames(self, data: bytes, position: int | None) -> tuple[int, float, int | None]:
        """Return the bytes and seconds of the frames, and where the next one begins, if that is known."""
        found, total = 0, 0.0
        if position is not None:
            is_first = self._next == self._tag_end
            if is_first and position + HEADER_BYTES <= len(data) and not self._confirm(data, position, certain=False):
                position = self._sync(data, position)
        else:
            position = self._sync(data, 0)
        while position is not None:
            stop, seconds = self._run(data, position)
            found += stop - position
            total += seconds
            if stop + HEADER_BYTES > len(data):
                return found, total, stop
            position = self._sync(data, stop)
        return found, total, None

    def _sync(self, data: bytes, start: int) -> int | None:
        """Return where the next frame begins from `start` on; None if none is certain."""
        for match in self._pattern.finditer(data, start):
            if self._confirm(data, match.start(), certain=True):
                return match.start()
        return None

    def _confirm(self, data: bytes, position: int, *, certain: bool) -> bool:
        """Return whether a frame begins there, by those that follow it; with `certain` they must be in `data`."""
        kind: int | None = None
        for _ in range(CONFIRMATIONS):
            if position + HEADER_BYTES > len(data):
                if certain:
                    return False
                break
            frame = self._frame(data, position)
            if frame is None or kind not in {None, frame.kind}:
                return False
            kind = frame.kind
            position += frame.length
        if kind is not None:
            self._kind = kind
        return True

    _pattern: re.Pattern[bytes]

    @abstractmethod
    def _frame(self, data: bytes, position: int) -> Frame | None:
        """Return what the header at `position` says; None if it is none."""

    def _run(self, data: bytes, position: int) -> tuple[int, float]:
        """Return the end and the seconds of the frames that follow each other from `position` on."""
        seconds = 0.0
        last = len(data) - HEADER_BYTES
        while position <= last:
            frame = self._frame(data, position)
            if frame is None or frame.kind != self._kind:
                break
            position += frame.length
            seconds += frame.seconds
        return position, seconds


def tag_bytes(beginning: bytes) -> int:
    """Return the length of the ID3v2 tag with which the audio begins (ID3v2.4, 3.1); 0 if there is none."""
    if len(beginning) < ID3_HEADER_BYTES or not beginning.startswith(b"ID3"):
        return 0
    length = 0
    for byte in beginning[6:10]:
        length = length << 7 | byte & 0x7F
    footer = ID3_HEADER_BYTES if beginning[5] & ID3_FOOTER_FLAG else 0
    return ID3_HEADER_BYTES + length + footer


MPEG1, MPEG2, MPEG25 = 3, 2, 0
LAYER1, LAYER2, LAYER3 = 3, 2, 1
BIT_RATES = {
    (MPEG1, LAYER1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (MPEG1, LAYER2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (MPEG1, LAYER3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (MPEG2, LAYER1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (MPEG2, LAYER2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (MPEG2, LAYER3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""In kbit/s, for the indexes from 1 on (ISO/IEC 11172-3 and 13818-3). 0 is a free format, which says no length."""

SAMPLE_RATES = {MPEG1: (44100, 48000, 32000), MPEG2: (22050, 24000, 16000), MPEG25: (11025, 12000, 8000)}


def _mp3_frames() -> dict[bytes, Frame]:
    """Return all headers that there are, by their first three bytes."""
    frames = {}
    for version, layer, unprotected in product(SAMPLE_RATES, (LAYER1, LAYER2, LAYER3), (0, 1)):
        second = 0xE0 | version << 3 | layer << 1 | unprotected
        samples = 384 if layer == LAYER1 else 576 if layer == LAYER3 and version != MPEG1 else 1152
        bit_rates = BIT_RATES[version or MPEG2, layer]
        for (rate_index, rate), (index, sample_rate), padding, private in product(
            enumerate(bit_rates, 1), enumerate(SAMPLE_RATES[version]), (0, 1), (0, 1)
        ):
            slot = 4 if layer == LAYER1 else 1
            length = (samples // 8 * rate * 1000 // slot // sample_rate + padding) * slot
            third = rate_index << 4 | index << 2 | padding << 1 | private
            kind = version << 4 | layer << 2 | index
            frames[bytes((0xFF, second, third))] = Frame(length, samples / sample_rate, kind)
    return frames


MP3_FRAMES = _mp3_frames()


class Mp3Scanner(FrameScanner):
    """MPEG audio of any version and layer, with constant or variable bit rate."""

    _pattern = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\xef]")

    def _frame(self, data: bytes, position: int) -> Frame | None:
        return MP3_FRAMES.get(data[position : position + 3])

    def _run(self, data: bytes, position: int) -> tuple[int, float]:
        """Do what `FrameScanner._run` does, in less time: there are thousands of frames."""
        seconds = 0.0
        last = len(data) - HEADER_BYTES
        frames, own_kind = MP3_FRAMES, self._kind
        while position <= last:
            frame = frames.get(data[position : position + 3])
            if frame is None:
                break
            length, duration, kind = frame
            if kind != own_kind:
                break
            position += length
            seconds += duration
        return position, seconds


ADTS_SAMPLE_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
"""By index (ISO/IEC 14496-3, 1.6.3.4)."""

ADTS_SAMPLES = 1024
"""In one raw data block."""


ADTS_SYNC_MASK, ADTS_SYNC = 0xFFF6, 0xFFF0
"""The first 16 bits of a header: 12 that are set, and a layer of 0."""


class AdtsScanner(FrameScanner):
    """AAC in ADTS frames (ISO/IEC 13818-7, 6.2). The first 28 bits of the headers are the same for all frames."""

    _pattern = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")

    def _frame(self, data: bytes, position: int) -> Frame | None:
        header = int.from_bytes(data[position : position + HEADER_BYTES])
        kind, length = header >> 28, header >> 13 & 0x1FFF
        if kind >> 12 & ADTS_SYNC_MASK != ADTS_SYNC or length < HEADER_BYTES:
            return None
        block_seconds = _block_seconds(kind)
        return Frame(length, (header & 3) * block_seconds + block_seconds, kind) if block_seconds else None

    def _run(self, data: bytes, position: int) -> tuple[int, float]:
        """Do what `FrameScanner._run` does, in less time."""
        blocks = 0
        own_kind = self._kind
        last = len(data) - HEADER_BYTES
        while position <= last:
            header = int.from_bytes(data[position : position + HEADER_BYTES])
            length = header >> 13 & 0x1FFF
            if header >> 28 != own_kind or length < HEADER_BYTES:
                break
            position += length
            blocks += (header & 3) + 1
        return position, blocks * _block_seconds(own_kind)


def _block_seconds(kind: int) -> float:
    """Return the duration of a raw data block, by the first 28 bits of a header; 0 if they are invalid."""
    rate = kind >> 6 & 0xF
    return ADTS_SAMPLES / ADTS_SAMPLE_RATES[rate] if rate < len(ADTS_SAMPLE_RATES) else 0.0
