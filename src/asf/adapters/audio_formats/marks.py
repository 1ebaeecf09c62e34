"""Ogg, FLAC, WebM and fragmented MP4: the time is written in the bytes now and then."""

import re
import struct
from abc import abstractmethod
from collections.abc import Iterable
from struct import unpack_from

BEGINNING_BYTES = 4096
"""How many of the first bytes contain what the times are counted in."""

MAX_MARK_BYTES = 256
"""Maximum bytes that are read at a mark. So many are kept for the next piece."""

MAX_STEP_SECONDS = 33.0
"""Longest time between two marks: a cluster of WebM has no more, a page of Ogg less. Longer steps are not counted."""


class MarkScanner:
    """Implements the port `DurationScanner` for marks: offsets at which the time is known."""

    def __init__(self) -> None:
        self.beginning_bytes = BEGINNING_BYTES
        self._end: int | None = None
        self._rest = b""
        self._last: tuple[int, float] | None = None

    def begin(self, beginning: bytes) -> None:
        """Find what the times are counted in. If it is not there, nothing is found later."""
        try:
            is_known = self._read_beginning(beginning)
        except (struct.error, IndexError, ValueError):
            is_known = False
        if is_known or len(beginning) >= self.beginning_bytes:
            self.beginning_bytes = 0

    def scan(self, offset: int, data: bytes) -> tuple[int, float]:
        """Return the bytes and the seconds from the last mark before `data` to the last one in it; see the port."""
        if offset != self._end:
            self._rest, self._last = b"", None
        self._end = offset + len(data)
        data = self._rest + data
        offset -= len(self._rest)
        self._rest = data[-MAX_MARK_BYTES:]
        found, seconds = 0, 0.0
        for position, time in self._marks(data):
            at = offset + position
            if self._last is not None:
                last_at, last_time = self._last
                if at <= last_at:
                    continue
                if 0 <= time - last_time <= MAX_STEP_SECONDS:
                    found += at - last_at
                    seconds += time - last_time
            self._last = at, time
        return found, seconds

    @abstractmethod
    def _read_beginning(self, beginning: bytes) -> bool:
        """Find what the times are counted in, and return whether it was there. May raise for damaged audio.

        One that needs more sets `beginning_bytes`.
        """

    @abstractmethod
    def _marks(self, data: bytes) -> Iterable[tuple[int, float]]:
        """Yield the positions in `data` at which the time is known, and the times in seconds."""


class OggScanner(MarkScanner):
    """Ogg with Opus, Vorbis, FLAC or Speex. Each page says at which sample it ends (RFC 3533, 6)."""

    _rate = 0

    def _read_beginning(self, beginning: bytes) -> bool:
        if b"OpusHead" in beginning:
            self._rate = 48000  # RFC 7845, 4
        elif (at := beginning.find(b"\x01vorbis")) >= 0:
            (self._rate,) = unpack_from("<I", beginning, at + 12)
        elif (at := beginning.find(b"\x7fFLAC")) >= 0:
            self._rate = _flac_rate(beginning, at + 9)
        elif (at := beginning.find(b"Speex   ")) >= 0:
            (self._rate,) = unpack_from("<I", beginning, at + 36)
        return self._rate > 0

    def _marks(self, data: bytes) -> Iterable[tuple[int, float]]:
        if not self._rate:
            return
        at = data.find(b"OggS")
        while at >= 0:
            if at + 14 > len(data):
                return
            (granule,) = unpack_from("<q", data, at + 6)
            if granule >= 0:  # -1: no packet ends on the page.
                yield at, granule / self._rate
            at = data.find(b"OggS", at + 4)


def _flac_rate(data: bytes, at: int) -> int:
    """Return the sample rate of the STREAMINFO after the signature `fLaC` at `at` (RFC 9639, 8.2)."""
    if data[at : at + 4] != b"fLaC":
        return 0
    (bits,) = unpack_from(">I", data, at + 4 + 4 + 10)
    return int(bits >> 12)


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = CRC8[crc ^ byte]
    return crc


def _crc8_of(byte: int) -> int:
    for _ in range(8):
        byte = (byte << 1 ^ 0x07 if byte & 0x80 else byte << 1) & 0xFF
    return byte


CRC8 = tuple(_crc8_of(byte) for byte in range(256))


class FlacScanner(MarkScanner):
    """FLAC. Each frame says which one it is, or with which sample it begins (RFC 9639, 9.1)."""

    _rate = 0
    _block_size = 0
    _sync = re.compile(rb"\xff[\xf8\xf9][\x10-\xff][\x00-\xad]")

    def _read_beginning(self, beginning: bytes) -> bool:
        at = beginning.find(b"fLaC")
        if at >= 0:
            (self._block_size,) = unpack_from(">H", beginning, at + 8)
            self._rate = _flac_rate(beginning, at)
        return self._rate > 0

    def _marks(self, data: bytes) -> Iterable[tuple[int, float]]:
        if not self._rate:
            return
        for match in self._sync.finditer(data):
            number = self._number(data, match.start())
            if number is not None:
                is_sample = data[match.start() + 1] & 1
                yield match.start(), number * (1 if is_sample else self._block_size) / self._rate

    @staticmethod
    def _number(data: bytes, at: int) -> int | None:
        """Return the coded number in a frame's header, or None if it is none: its checksum does not match."""
        header = data[at : at + 16]
        if len(header) < 6 or header[3] & 1:  # noqa: PLR2004 - the shortest one
            return None
        first = header[4]
        length = 1 if first < 0x80 else 8 - (first ^ 0xFF).bit_length()  # noqa: PLR2004 - as in UTF-8
        if length == 0 or first == 0xFF:  # noqa: PLR2004
            return None
        number = first if length == 1 else first & (1 << 7 - length) - 1
        for byte in header[5 : 4 + length]:
            number = number << 6 | byte & 0x3F
        end = 4 + length + {6: 1, 7: 2}.get(header[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(header[2] & 0xF, 0)
        if end >= len(header) or _crc8(header[:end]) != header[end]:
            return None
        return number


CLUSTER = b"\x1f\x43\xb6\x75"
TIMESTAMP_SCALE = b"\x2a\xd7\xb1"
TIMESTAMP = 0xE7
CRC_32 = 0xBF


class WebmScanner(MarkScanner):
    """WebM and Matroska. Each cluster says when it begins (RFC 9559, 5.1.3)."""

    _scale = 0.001

    def _read_beginning(self, beginning: bytes) -> bool:
        at = beginning.find(TIMESTAMP_SCALE)
        if at >= 0 and 1 <= (length := beginning[at + 3] & 0x7F) <= 8:  # noqa: PLR2004 - bytes of an integer
            value = int.from_bytes(beginning[at + 4 : at + 4 + length])
            if at + 4 + length > len(beginning):
                return False
            self._scale = value / 1e9
        return at >= 0 or CLUSTER in beginning

    def _marks(self, data: bytes) -> Iterable[tuple[int, float]]:
        at = data.find(CLUSTER)
        while at >= 0:
            time = self._time(data[at + 4 : at + MAX_MARK_BYTES])
            if time is not None:
                yield at, time * self._scale
            at = data.find(CLUSTER, at + 4)

    @staticmethod
    def _time(cluster: bytes) -> int | None:
        """Return the timestamp of a cluster, without its id; None if it is not at its beginning."""
        if not cluster or not cluster[0]:
            return None
        at = 9 - cluster[0].bit_length()  # The length of its size.
        if cluster[at : at + 1] == bytes([CRC_32]):
            at += 6
        if len(cluster) < at + 2 or cluster[at] != TIMESTAMP:
            return None
        length = cluster[at + 1] & 0x7F
        value = cluster[at + 2 : at + 2 + length]
        return int.from_bytes(value) if 1 <= length == len(value) <= 8 else None  # noqa: PLR2004 - as above
