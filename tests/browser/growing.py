"""Audio that is generated while it is heard."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import ServerProcess

STEP_SECONDS = 0.25


class Growing:
    """Announces a stream, and writes its audio at the speed of speech, from a thread.

    `ahead_seconds` of its `seconds` are written at once.
    """

    def __init__(self, server: ServerProcess, path: Path, audio: bytes, seconds: float, ahead_seconds: float) -> None:
        self._server = server
        self._path = path
        self._audio = audio
        self._rate = len(audio) / seconds
        self._written = int(self._rate * ahead_seconds)
        self._stopping = threading.Event()
        path.write_bytes(audio[: self._written])
        self._thread = threading.Thread(target=self._write, daemon=True)

    def start(self) -> None:
        """Announce the stream, and go on writing."""
        self._notify("generating")
        self._thread.start()

    def finish(self) -> None:
        """Write the rest at once, and announce that the audio is complete."""
        self.stop()
        with self._path.open("ab") as file:
            file.write(self._audio[self._written :])
        self._notify("complete")

    def fail(self) -> None:
        """Write no more, and announce that the generation has failed."""
        self.stop()
        self._notify("failed")

    def stop(self) -> None:
        """Write no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def seconds_written(self) -> float:
        """How much audio there is."""
        return self._written / self._rate

    def _notify(self, state: str) -> None:
        self._server.notify("clip", str(self._path), state=state).raise_for_status()

    def _write(self) -> None:
        started, first = time.monotonic(), self._written
        while self._written < len(self._audio) and not self._stopping.wait(STEP_SECONDS):
            due = min(len(self._audio), first + int(self._rate * (time.monotonic() - started)))
            with self._path.open("ab") as file:
                file.write(self._audio[self._written : due])
            self._written = due


@contextmanager
def growing(
    server: ServerProcess, audio: bytes, suffix: str, seconds: float, ahead_seconds: float = 6.0
) -> Iterator[Growing]:
    """Let a stream `clip` grow, until the block is left at the latest."""
    audio_file = Growing(server, server.audio_root / f"clip.{suffix}", audio, seconds, ahead_seconds)
    audio_file.start()
    try:
        yield audio_file
    finally:
        audio_file.stop()
