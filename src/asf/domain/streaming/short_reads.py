"""Reads short ranges of audio without a session: a player's probe, the index at the end of a file."""

from collections.abc import Callable

from asf.domain.streaming.audio_pool import AudioPool
from asf.domain.streaming.opened_audio import OpenedAudio
from asf.domain.streaming.pump import AudioPump

SHORT_BYTES = 64 * 1024
"""Longest range that is read at once: a session of its own would cost more than these bytes."""

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.01, 0.1
"""Intervals at which bytes that are being fetched are looked for, by half longer each time: many may wait for a store
that hangs. The source of the audio gives up by itself."""


class ShortReads:
    """Reads ranges of opened audio. `pause` suspends the calling task for a number of seconds."""

    def __init__(self, pool: AudioPool, pump: AudioPump, pause: Callable[[float], object]) -> None:
        self._pool = pool
        self._pump = pump
        self._pause = pause

    def measure(self, opened: OpenedAudio) -> int:
        """Return how many bytes of the audio there are now. May yield. Raises `AudioUnavailable`."""
        self._pool.measure(opened.audio)
        return opened.audio.size

    def read(self, opened: OpenedAudio, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop` (exclusive), at most `SHORT_BYTES`, all of which exist.

        May yield. Raises `AudioUnavailable`.
        """
        parts = []
        offset = start
        pause = FIRST_RETRY_SECONDS
        while offset < stop:
            batch = self._pool.batches.batch(opened.audio, offset)
            if batch is None:
                self._pause(pause)
                pause = min(1.5 * pause, LONGEST_RETRY_SECONDS)
                continue
            parts.append(batch.data[offset - batch.offset : stop - batch.offset])
            offset += len(parts[-1])
        self._pump.count_sent(stop - start)
        return b"".join(parts)
