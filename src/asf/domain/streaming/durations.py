"""How long the bytes of one audio play, as far as they have been sent to anybody."""

import logging
from collections.abc import Callable

from asf.domain.errors import AudioUnavailable
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.ports import AudioSource, DurationScanner

MIN_BYTES_PER_SECOND = 125
"""1 kbit/s: audio has no lower rate. It bounds what damaged audio can count for, so that its
listeners do not run out of it."""

logger = logging.getLogger(__name__)


class _Block:
    """What was found in a block of the audio: scanned up to byte `end`."""

    __slots__ = ("end", "found_bytes", "found_seconds", "seconds_per_byte")

    def __init__(self, end: int) -> None:
        self.end = end
        self.found_bytes = 0
        self.found_seconds = 0.0
        self.seconds_per_byte = 0.0

    def add(self, found: int, seconds: float, end: int) -> None:
        """Add what was found in the bytes up to `end`."""
        self.end = end
        self.found_bytes += found
        self.found_seconds += min(seconds, found / MIN_BYTES_PER_SECOND)
        if self.found_bytes:
            self.seconds_per_byte = self.found_seconds / self.found_bytes


class Durations:
    """Durations of one audio, found in blocks of `block_bytes`, each scanned once for all listeners.

    `find_scanner` returns the scanner for the audio's media type, or None. It is asked again for each piece of the
    first block that is sent: the type of growing audio may not be known before.

    `is_unknown` says that nothing will be found any more, as there is no scanner, or as it has failed.
    `most_seconds_per_byte` is how long a byte plays where one plays longest, as far as that was found.

    Within a block, time is proportional to bytes. A block in which nothing is found has the rate of the last one in
    which something was; before the first, bytes count for 0 seconds.
    """

    def __init__(self, find_scanner: Callable[[], DurationScanner | None], block_bytes: int) -> None:
        self._find_scanner = find_scanner
        self._scanner: DurationScanner | None = None
        self.is_unknown = False
        self._block_bytes = block_bytes
        self._blocks: dict[int, _Block] = {}
        self._seconds_per_byte = self.most_seconds_per_byte = 0.0
        self._begun_with = 0

    @property
    def latest_seconds_per_byte(self) -> float:
        """How long a byte plays in the block that was scanned last, in seconds; 0 while nothing was found."""
        return self._seconds_per_byte

    def observe(self, source: AudioSource, batch: AudioBatch, stop: int) -> float:
        """Return how long a byte of `batch`, which was read from `source`, plays, in seconds.

        Scans the batch, unless that is known as far as byte `stop`.
        """
        number = batch.offset // self._block_bytes
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = _Block(batch.offset)
        if block.end < stop:
            found, seconds = self._scan(source, max(block.end, batch.offset), batch)
            block.add(found, seconds, batch.end)
            if found and seconds:
                self._seconds_per_byte = block.seconds_per_byte
                self.most_seconds_per_byte = max(self.most_seconds_per_byte, block.seconds_per_byte)
        return block.seconds_per_byte if block.found_bytes else self._seconds_per_byte

    def seconds(self, start: int, stop: int) -> float:
        """Return how long the bytes from `start` to `stop` (exclusive) play, in seconds."""
        total = 0.0
        while start < stop:
            number = start // self._block_bytes
            end = min(stop, (number + 1) * self._block_bytes)
            block = self._blocks.get(number)
            is_known = block is not None and block.found_bytes
            total += (end - start) * (block.seconds_per_byte if block and is_known else self._seconds_per_byte)
            start = end
        return total

    def _scan(self, source: AudioSource, start: int, batch: AudioBatch) -> tuple[int, float]:
        if self._scanner is None and len(self._blocks) > 1:
            self.is_unknown = True
        if self.is_unknown:
            return 0, 0.0
        try:
            self._scanner = self._scanner or self._find_scanner()
            if self._scanner is None:
                return 0, 0.0
            if self._scanner.beginning_bytes:
                self._begin(self._scanner, source)
            return self._scanner.scan(start, batch.data[start - batch.offset :])
        except Exception:
            logger.exception("Finding the rate of the audio failed")
            self.is_unknown = True
            return 0, 0.0

    def _begin(self, scanner: DurationScanner, source: AudioSource) -> None:
        """Hand the audio's first bytes to the scanner. If they have to be fetched, a later call has them."""
        length = min(scanner.beginning_bytes, source.size)
        if length == self._begun_with:
            return
        try:
            beginning = source.read(0, length)
        except AudioUnavailable:  # It is not needed for sending.
            return
        if beginning is not None:
            self._begun_with = length
            scanner.begin(beginning)
