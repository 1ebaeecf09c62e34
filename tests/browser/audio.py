"""The demo clip, and clips that tell by their tone where they are, in all formats, converted by ffmpeg."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS

CLIP = Path(__file__).parents[2] / "demo" / "welcome.mp3"

CLIP_SECONDS = 44

ARGUMENTS = {
    "320.mp3": ["-b:a", "320k"],
    "mp3": ["-c:a", "libmp3lame", "-b:a", "64k"],
    "flac": ["-c:a", "flac"],
    "aac": ["-c:a", "aac", "-b:a", "64k", "-f", "adts"],
    "mp4": [
        *("-c:a", "aac", "-b:a", "64k", "-frag_duration", "1000000"),
        *("-movflags", "frag_keyframe+empty_moov+default_base_moof"),
    ],
    "absolute.mp4": [
        *("-c:a", "aac", "-b:a", "64k", "-frag_duration", "1000000"),
        *("-movflags", "frag_keyframe+empty_moov"),
    ],
    "m4a": ["-c:a", "aac", "-b:a", "64k", "-f", "mp4", "-movflags", "faststart"],
    "webm": ["-c:a", "libopus", "-b:a", "32k"],
    "ogg": ["-c:a", "libopus", "-b:a", "32k"],
    "wav": ["-c:a", "pcm_s16le"],
    "stereo.wav": ["-c:a", "pcm_s24le", "-ar", "48000", "-ac", "2"],
}
"""Arguments of ffmpeg, by suffix."""


def tones(seconds: int) -> list[str]:
    """Return ffmpeg's arguments of a clip whose second n is a sine of 300 + 40 n Hz."""
    source = f"aevalsrc='0.5*sin(2*PI*(300+40*floor(t))*t)':s=44100:d={seconds}"
    return ["-f", "lavfi", "-i", source]


class AudioFiles:
    """The demo clip, or another `source`, in any format, converted on first use."""

    def __init__(self, folder: Path, source: Sequence[str] = ("-i", str(CLIP))) -> None:
        self._folder = folder
        self._source = list(source)

    def read(self, suffix: str) -> bytes:
        """Return the bytes of the clip as a file with that suffix. Skips without ffmpeg."""
        if suffix == "mp3" and str(CLIP) in self._source:
            return CLIP.read_bytes()
        if shutil.which("ffmpeg") is None:
            missing("ffmpeg", "apt-get install ffmpeg")
        path = self._folder / f"clip.{suffix}"
        if not path.exists():
            command = ["ffmpeg", "-v", "error", *self._source, *ARGUMENTS[suffix], str(path)]
            subprocess.run(command, check=True, timeout=PATIENCE_SECONDS)
        return path.read_bytes()
