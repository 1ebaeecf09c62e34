"""Waits until complete audio has the size that its announcement gives."""

import threading
import time
from collections.abc import Callable

from asf.domain.errors import AudioUnavailable
from asf.domain.streaming.ports import AudioSources
from asf.domain.streams.stream import Locator

WAIT_SECONDS = 10.0
"""How long an announcement waits for the size that it gives."""

POLL_SECONDS = 0.1
"""Interval at which the audio is opened meanwhile: only then network file systems ask their server for the size."""


class AnnouncedSize:
    """Compares audio with the size that was announced. `pause` suspends the calling task for some seconds."""

    def __init__(
        self,
        sources: AudioSources,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._sources = sources
        self._now = now
        self._pause = pause or (lambda seconds: threading.Event().wait(seconds))

    def wait(self, locator: Locator, total_bytes: int) -> None:
        """Wait until the audio has `total_bytes` or more. May yield.

        Raises `AudioUnavailable` after `WAIT_SECONDS`. Audio with an end marker has its size from that.
        """
        if locator.has_end_marker:
            return
        end = self._now() + WAIT_SECONDS
        while True:
            problem = self._problem(locator, total_bytes)
            if problem is None:
                return
            if self._now() >= end:
                raise AudioUnavailable(problem)
            self._pause(POLL_SECONDS)

    def _problem(self, locator: Locator, total_bytes: int) -> str | None:
        try:
            source = self._sources.open(locator)
        except AudioUnavailable as error:
            return error.details
        size = source.size
        source.close()
        return None if size >= total_bytes else f"The audio has {size} of the announced {total_bytes} bytes."
