"""WAV and MP4: the beginning says how long all of it plays, or in which units."""

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from struct import unpack_from
from sys import byteorder

from asf.adapters.audio_formats.marks import BEGINNING_BYTES, MarkScanner

MAX_TABLE_BYTES = 1024 * 1024
"""Longest `moov` box that is read, that of an hour and a half of AAC: a longer one would hold up the event loop."""

MAX_DURATIONS = 1000
"""How many runs of samples of equal duration are looked at. In audio there are one or two."""

SAMPLES_PER_STEP = 64
"""How many samples of an MP4 are counted as one."""


class WavScanner:
    """Implements the port `DurationScanner` for WAV, whose rate is constant."""

    def __init__(self) -> None:
        self.beginning_bytes = BEGINNING_BYTES
        self._bytes_per_second = 0

    def begin(self, beginning: bytes) -> None:
        """Find the format chunk."""
        at = 12
        try:
            while beginning[at : at + 4] not in {b"fmt ", b""}:
                (length,) = unpack_from("<I", beginning, at + 4)
                at += 8 + length + length % 2
            (self._bytes_per_second,) = unpack_from("<I", beginning, at + 16)
        except struct.error:
            pass
        if self._bytes_per_second or len(beginning) >= BEGINNING_BYTES:
            self.beginning_bytes = 0

    def scan(self, offset: int, data: bytes) -> tuple[int, float]:  # noqa: ARG002 - all offsets are alike
        """Return how long the bytes play; see the port."""
        if not self._bytes_per_second:
            return 0, 0.0
        return len(data), len(data) / self._bytes_per_second


class Mp4Scanner(MarkScanner):
    """MP4 (ISO/IEC 14496-12): by the table of its samples, or by its fragments, each of which says when it begins.

    One whose table is at its end cannot be played while it arrives, and is not measured.
    """

    def __init__(self) -> None:
        super().__init__()
        self._timescale = 0
        self._offsets: list[int] = []
        self._times: list[float] = []

    def scan(self, offset: int, data: bytes) -> tuple[int, float]:
        """Return how long the bytes play; see the port."""
        if not self._offsets:
            return super().scan(offset, data)
        return len(data), self._time_at(offset + len(data)) - self._time_at(offset)

    def _read_beginning(self, beginning: bytes) -> bool:
        start = _find_box(beginning, b"moov")
        if start < 0:
            return False
        (length,) = unpack_from(">I", beginning, start)
        header = beginning.index(b"mdhd", start)
        (self._timescale,) = unpack_from(">I", beginning, header + (24 if beginning[header + 4] else 16))
        if b"mvex" not in beginning[start : start + length] and length <= MAX_TABLE_BYTES:
            self.beginning_bytes = start + length
            if len(beginning) < self.beginning_bytes:
                return False
            self._read_table(beginning[start : start + length])
        return True

    def _read_table(self, moov: bytes) -> None:
        """Read where the samples of the first track are, which follow each other, and how long they play."""
        chunks = moov.find(b"stco")
        kind, chunks = (">I", chunks) if chunks >= 0 else (">Q", moov.index(b"co64"))
        (first,) = unpack_from(kind, moov, chunks + 12)
        at = moov.index(b"stts")
        (entries,) = unpack_from(">I", moov, at + 8)
        durations = [unpack_from(">II", moov, at + 12 + 8 * entry) for entry in range(min(entries, MAX_DURATIONS))]
        ticks = sum(number * duration for number, duration in durations) / sum(number for number, _ in durations)
        at = moov.index(b"stsz")
        size, number = unpack_from(">II", moov, at + 8)
        sizes = array("I", moov[at + 16 : at + 16 + 4 * number])
        if byteorder == "little":
            sizes.byteswap()
        if size or not sizes or not self._timescale:  # All samples are alike only where they are not compressed.
            return
        steps = [sum(sizes[at : at + SAMPLES_PER_STEP]) for at in range(0, len(sizes), SAMPLES_PER_STEP)]
        self._offsets = list(accumulate(steps, initial=first))
        self._times = [number * SAMPLES_PER_STEP * ticks / self._timescale for number in range(len(self._offsets))]

    def _time_at(self, offset: int) -> float:
        """Return when the byte at `offset` is played, in seconds."""
        index = bisect_right(self._offsets, offset)
        if index == 0:
            return 0.0
        if index == len(self._offsets):
            return self._times[-1]
        before, after = self._offsets[index - 1 : index + 1]
        return self._times[index - 1] + (offset - before) / (after - before) * (self._times[1] - self._times[0])

    def _marks(self, data: bytes) -> Iterable[tuple[int, float]]:
        if not self._timescale:
            return
        at = data.find(b"moof")
        while at >= 0:
            time = data.find(b"tfdt", at, at + 200)
            if time >= 0 and time + 16 <= len(data):
                (value,) = unpack_from(">Q" if data[time + 4] else ">I", data, time + 8)
                yield at, value / self._timescale
            at = data.find(b"moof", at + 4)


def _find_box(data: bytes, name: bytes) -> int:
    """Return where the top-level box of that name begins, or -1 if it is not in `data`."""
    at = 0
    while at + 8 <= len(data):
        (length,) = unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == name:
            return at
        if length < 8:  # noqa: PLR2004 - the header; a box of 64 bits is `mdat`, after which nothing is looked for
            return -1
        at += length
    return -1
