"""A stand-in for the services that make a podcast: it makes one of a clip, at about the speed of speech."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from asf.client.backend import BackendClient
from asf.client.errors import AsfClientError
from asf.client.growing import GrowingAudio

CLIP_BYTES_PER_SECOND = 6000
"""Speed of speech in the demo clip, an MP3 of 48 kbit/s."""

FIRST_PIECE_SECONDS = 2.0
"""How much the first piece holds: a player that begins with it does not run dry before the next one comes."""

SHORTEST_PIECE_SECONDS = 0.1
LONGEST_PIECE_SECONDS = 1.0

WHOLE = 100


@dataclass(frozen=True, slots=True)
class Progress:
    """The data of a `generation_progress`: how much is done, 0 to 100, and what is being done, for people."""

    percentage: int
    step: str


def demo_clip() -> Path:
    """Return the spoken clip that comes with this package, or with the repository that it runs from."""
    installed = Path(__file__).with_name("welcome.mp3")
    return installed if installed.exists() else Path(__file__).parents[3] / "demo" / "welcome.mp3"


def make_demo_podcast(
    backend: BackendClient,
    clip: Path,
    audio_root: Path,
    stream_id: str,
    client_id: str,
    pace: float = 1.0,
    *,
    bytes_per_second: float = CLIP_BYTES_PER_SECOND,
    on_progress: Callable[[Progress], object] = lambda _progress: None,
) -> Path:
    """Make a podcast of `clip` as a voice agent would, and tell the client what an orchestrator would.

    The audio grows in uneven pieces, in a file below `audio_root`, a folder that ASF reads too; `pace` is how many
    times as fast as speech, at `bytes_per_second`. The client is sent `generation_progress`, which `on_progress` is
    called with too, and at last `task_completed`, or `task_failed` when an exception leaves. Returns the file. Raises
    OSError, `RequestRefused` and `ServerUnreachable`.
    """
    audio = clip.read_bytes()
    path = audio_root / (quote(stream_id, safe=" ") + clip.suffix)
    reporter = _Reporter(backend, client_id, on_progress)
    try:
        reporter.report(0, "Writing the script")
        with backend.generating(stream_id, path, metadata={"title": clip.stem}) as growing:
            _speak(audio, growing, bytes_per_second, pace, reporter)
    except BaseException as error:
        with suppress(AsfClientError):  # The first error is the one to tell.
            backend.send_ui_update(
                client_id, "task_failed", {"stream_id": stream_id, "reason": str(error) or repr(error)}
            )
        raise
    reporter.report(WHOLE, "Done")
    backend.send_ui_update(client_id, "task_completed", {"stream_id": stream_id, "total_bytes": len(audio)})
    return path


def uneven_pieces(length: int, bytes_per_second: float, chance: random.Random) -> Iterator[int]:
    """Yield lengths in bytes, `length` in all: a first piece to begin with, then pieces that nobody can foresee."""
    seconds = FIRST_PIECE_SECONDS
    while length > 0:
        piece = min(max(1, round(seconds * bytes_per_second)), length)
        yield piece
        length -= piece
        seconds = chance.uniform(SHORTEST_PIECE_SECONDS, LONGEST_PIECE_SECONDS)


class _Reporter:
    """Tells the client of progress that it was not told of before."""

    def __init__(self, backend: BackendClient, client_id: str, on_progress: Callable[[Progress], object]) -> None:
        self._backend = backend
        self._client_id = client_id
        self._on_progress = on_progress
        self._latest: Progress | None = None

    def report(self, percentage: int, step: str) -> None:
        progress = Progress(percentage, step)
        if progress != self._latest:
            self._latest = progress
            self._backend.send_ui_update(self._client_id, "generation_progress", asdict(progress))
            self._on_progress(progress)


def _speak(audio: bytes, growing: GrowingAudio, bytes_per_second: float, pace: float, reporter: _Reporter) -> None:
    """Write `audio` piece by piece. A piece that is late does not delay those after it."""
    started = time.monotonic()
    spoken = 0
    for piece in uneven_pieces(len(audio), bytes_per_second, random.Random()):  # noqa: S311 - no secret
        spoken += piece
        due = started + (spoken / bytes_per_second - FIRST_PIECE_SECONDS) / pace
        time.sleep(max(0.0, due - time.monotonic()))
        growing.write(audio[spoken - piece : spoken])
        # 100 is told when the stream is complete.
        reporter.report(min(WHOLE * spoken // len(audio), WHOLE - 1), "Speaking")
