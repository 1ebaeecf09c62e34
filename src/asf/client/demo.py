"""Stand-in for podcast-generating services: generates a podcast from a clip, in about real time."""

import json
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from asf.client.backend import BackendClient
from asf.client.errors import AsfClientError
from asf.client.growing import GrowingAudio

CLIP_BYTES_PER_SECOND = 6000
"""Byte rate of the demo clip, an MP3 of 48 kbit/s."""

FIRST_PIECE_SECONDS = 2.0
"""Duration of the first piece: enough for a player to start without an underrun before the next one."""

SHORTEST_PIECE_SECONDS = 0.1
LONGEST_PIECE_SECONDS = 1.0

WHOLE = 100
"""Percentage of a complete podcast."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Data of a `generation_progress` event: percentage from 0 to 100, and the current step, for humans."""

    percentage: int
    step: str


def demo_clip() -> Path:
    """Return the spoken clip of this package, or of the repository that it runs from."""
    installed = Path(__file__).with_name("welcome.mp3")
    return installed if installed.exists() else Path(__file__).parents[3] / "demo" / "welcome.mp3"


def demo_cues() -> list[dict[str, Any]]:
    """Return the cues of the clip, in order of time: its chapters, sentences and words."""
    cues: list[dict[str, Any]] = json.loads(Path(__file__).with_name("welcome_cues.json").read_bytes())
    return cues


def make_demo_podcast(
    backend: BackendClient,
    clip: Path,
    audio_root: Path,
    stream_id: str,
    client_id: str,
    pace: float = 1.0,
    *,
    bytes_per_second: float = CLIP_BYTES_PER_SECOND,
    cues: Sequence[Mapping[str, Any]] = (),
    on_progress: Callable[[Progress], object] = lambda _progress: None,
) -> Path:
    """Generate a podcast from `clip` as a voice agent would, and send UI updates as an orchestrator would.

    The audio grows in uneven pieces, in a file below `audio_root`, which must be one of the server's audio roots.
    `pace` is the speed relative to real time, which is `bytes_per_second`. The `cues` of the clip, in order of time,
    are added just before the audio that they belong to. Sends the client `generation_progress`
    events, also passed to `on_progress`, then `task_completed`, or `task_failed` after an exception. Returns the
    file. Raises OSError, `RequestRejected` and `ServerUnreachable`.
    """
    audio = clip.read_bytes()
    path = audio_root / (quote(stream_id, safe=" ") + clip.suffix)
    reporter = Reporter(backend, client_id, on_progress)
    try:
        reporter.report(0, "Writing the script")
        with backend.generating(stream_id, path, metadata={"title": clip.stem}) as growing:
            cued = _CuedAudio(backend, growing, bytes_per_second, cues)
            _speak(audio, cued.write, bytes_per_second, pace, reporter)
    except BaseException as error:
        with suppress(AsfClientError):  # The first error is the one to raise.
            backend.send_ui_update(
                client_id, "task_failed", {"stream_id": stream_id, "reason": str(error) or repr(error)}
            )
        raise
    reporter.report(WHOLE, "Done")
    backend.send_ui_update(client_id, "task_completed", {"stream_id": stream_id, "total_bytes": len(audio)})
    return path


def uneven_pieces(length: int, bytes_per_second: float, chance: random.Random) -> Iterator[int]:
    """Yield the lengths of pieces in bytes, `length` in total: one of fixed duration, then random ones."""
    seconds = FIRST_PIECE_SECONDS
    while length > 0:
        piece = min(max(1, round(seconds * bytes_per_second)), length)
        yield piece
        length -= piece
        seconds = chance.uniform(SHORTEST_PIECE_SECONDS, LONGEST_PIECE_SECONDS)


class Reporter:
    """Sends progress to the client, also passed to `on_progress`, without repeats."""

    def __init__(self, backend: BackendClient, client_id: str, on_progress: Callable[[Progress], object]) -> None:
        self._backend = backend
        self._client_id = client_id
        self._on_progress = on_progress
        self._latest: Progress | None = None

    def report(self, percentage: int, step: str) -> None:
        """Send a `generation_progress` event with this data, unless it is the same as the latest one."""
        progress = Progress(percentage, step)
        if progress != self._latest:
            self._latest = progress
            self._backend.send_ui_update(self._client_id, "generation_progress", asdict(progress))
            self._on_progress(progress)


class _CuedAudio:
    """The audio that is being written, with its cues in order of time: each is added before the byte it starts at."""

    def __init__(
        self,
        backend: BackendClient,
        audio: GrowingAudio,
        bytes_per_second: float,
        cues: Sequence[Mapping[str, Any]],
    ) -> None:
        self._backend = backend
        self._audio = audio
        self._bytes_per_second = bytes_per_second
        self._waiting = deque(cues)

    def write(self, piece: bytes) -> None:
        """Add the cues of a piece, and write it."""
        end = (self._audio.tell() + len(piece)) / self._bytes_per_second
        due = []
        while self._waiting and self._waiting[0]["start"] < end:
            due.append(self._waiting.popleft())
        self._backend.add_cues(self._audio.stream_id, due, epoch=self._audio.epoch)
        self._audio.write(piece)


def _speak(
    audio: bytes, write: Callable[[bytes], object], bytes_per_second: float, pace: float, reporter: Reporter
) -> None:
    """Write `audio` piece by piece. A late piece does not delay the following ones."""
    started = time.monotonic()
    spoken = 0
    for piece in uneven_pieces(len(audio), bytes_per_second, random.Random()):  # noqa: S311 - no secret
        spoken += piece
        due = started + (spoken / bytes_per_second - FIRST_PIECE_SECONDS) / pace
        time.sleep(max(0.0, due - time.monotonic()))
        write(audio[spoken - piece : spoken])
        # 100 is reported when the stream is complete.
        reporter.report(min(WHOLE * spoken // len(audio), WHOLE - 1), "Speaking")
