"""How long the bytes of one audio play, as far as they have been sent to anybody."""

import logging

from asf.domain.errors import AudioUnavailable
from asf.domain.streaming.audio import AudioBatch
from asf.domain.streaming.ports import AudioSource, DurationScanner

MIN_BYTES_PER_SECOND = 125
"""1 kbit/s: audio has no lower rate. It bounds what damaged audio can count for, so that its
listeners do not run out of it."""

logger = logging.getLogger(__name__)


class _Block:
    """What was found in a block of the audio: scanned up to byte `end`."""

    __slots__ = ("end", "found_bytes", "found_seconds")

    def __init__(self, end: int) -> None:
        self.end = end
        self.found_bytes = 0
        self.found_seconds = 0.0

    def add(self, found: int, seconds: float, end: int) -> None:
        """Add what was found in the bytes up to `end`."""
        self.end = end
        self.found_bytes += found
        self.found_seconds += min(seconds, found / MIN_BYTES_PER_SECOND)


class Durations:
    """Durations of one audio, found by `scanner` in blocks of `block_bytes`, each scanned once for all listeners.

    Within a block, time is proportional to bytes. A block in which nothing is found has the rate of the last one in
    which something was; before the first, bytes count for 0 seconds.
    """

    def __init__(self, scanner: DurationScanner, block_bytes: int) -> None:
        self._scanner: DurationScanner | None = scanner
        self._block_bytes = block_bytes
        self._blocks: dict[int, _Block] = {}
        self._seconds_per_byte = 0.0
        self._begun_with = 0

    def observe(self, source: AudioSource, batch: AudioBatch, stop: int) -> None:
        """Find the durations in `batch`, which was read from `source`, unless it is known as far as byte `stop`."""
        number = batch.offset // self._block_bytes
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = _Block(batch.offset)
        elif block.end >= stop:
            return
        found, seconds = self._scan(source, max(block.end, batch.offset), batch)
        block.add(found, seconds, batch.end)
        if found and seconds:
            self._seconds_per_byte = block.found_seconds / block.found_bytes

    def seconds(self, start: int, stop: int) -> float:
        """Return how long the bytes from `start` to `stop` (exclusive) play, in seconds."""
        total = 0.0
        while start < stop:
            number = start // self._block_bytes
            end = min(stop, (number + 1) * self._block_bytes)
            block = self._blocks.get(number)
            if block is not None and block.found_bytes:
                total += (end - start) * block.found_seconds / block.found_bytes
            else:
                total += (end - start) * self._seconds_per_byte
            start = end
        return total

    def _scan(self, source: AudioSource, start: int, batch: AudioBatch) -> tuple[int, float]:
        if self._scanner is None:
            return 0, 0.0
        try:
            if self._scanner.beginning_bytes:
                self._begin(self._scanner, source)
            return self._scanner.scan(start, batch.data[start - batch.offset :])
        except Exception:
            logger.exception("Finding the rate of the audio failed")
            self._scanner = None
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
