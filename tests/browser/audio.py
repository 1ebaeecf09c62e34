"""The demo clip in other formats, converted by ffmpeg."""

import shutil
import subprocess
from pathlib import Path

from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS

CLIP = Path(__file__).parents[2] / "demo" / "welcome.mp3"

CLIP_SECONDS = 44

ARGUMENTS = {
    "320.mp3": ["-b:a", "320k"],
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


class AudioFiles:
    """The demo clip in any format, converted on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, suffix: str) -> bytes:
        """Return the bytes of the clip as a file with that suffix. Skips without ffmpeg."""
        if suffix == "mp3":
            return CLIP.read_bytes()
        if shutil.which("ffmpeg") is None:
            missing("ffmpeg", "apt-get install ffmpeg")
        path = self._folder / f"clip.{suffix}"
        if not path.exists():
            command = ["ffmpeg", "-v", "error", "-i", str(CLIP), *ARGUMENTS[suffix], str(path)]
            subprocess.run(command, check=True, timeout=PATIENCE_SECONDS)
        return path.read_bytes()
