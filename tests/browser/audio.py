"""The demo clip, and tone-coded clips, in all formats, converted by ffmpeg."""

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
    "vorbis.ogg": ["-c:a", "libvorbis"],
    "flac.ogg": ["-c:a", "flac", "-f", "ogg"],
    "short-clusters.webm": ["-c:a", "libopus", "-b:a", "32k", "-cluster_time_limit", "1000"],
    "tiny-clusters.webm": ["-c:a", "libopus", "-b:a", "32k", "-cluster_time_limit", "100"],
    "late.webm": ["-c:a", "libopus", "-b:a", "32k", "-output_ts_offset", "3600"],
    "wav": ["-c:a", "pcm_s16le"],
    "stereo.wav": ["-c:a", "pcm_s24le", "-ar", "48000", "-ac", "2"],
    "studio.wav": ["-c:a", "pcm_s24le", "-ar", "96000", "-ac", "2"],
    "float.wav": ["-c:a", "pcm_f32le"],
    "phone.wav": ["-c:a", "pcm_mulaw", "-ar", "8000"],
}
"""Arguments of ffmpeg, by suffix."""


class AudioFiles:
    """The demo clip, or another `source`, in any format, converted on first use."""

    def __init__(self, folder: Path, source: Sequence[str] = ("-i", str(CLIP))) -> None:
        self._folder = folder
        self._source = list(source)

    def read(self, suffix: str) -> bytes:
        """Return the bytes of the clip as a file with that suffix. Skips without ffmpeg."""
        if suffix == "mp3" and str(CLIP) in self._source:
            return CLIP.read_bytes()
        return self.path(suffix).read_bytes()

    def path(self, suffix: str) -> Path:
        """Return the path of the clip as a file with that suffix. Skips without ffmpeg."""
        path = self._folder / f"clip.{suffix}"
        if not path.exists():
            _convert([*self._source, *ARGUMENTS[suffix]], path)
        return path


class ToneClips:
    """Clips of any length, in any format, whose second n is a sine of 300 + 40 n Hz, converted on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[int, AudioFiles] = {}

    def read(self, suffix: str, seconds: int, period: int = 1000) -> bytes:
        """Return a clip as a file with that suffix. Its tones begin again after each `period` of seconds."""
        path = self._clip(min(seconds, period)).path(suffix)
        if seconds > period:
            path = self._repeated(path, suffix, seconds)
        return path.read_bytes()

    def _clip(self, seconds: int) -> AudioFiles:
        if seconds not in self._files:
            folder = self._folder / str(seconds)
            folder.mkdir()
            source = f"aevalsrc='0.5*sin(2*PI*(300+40*floor(t))*t)':s=44100:d={seconds}"
            self._files[seconds] = AudioFiles(folder, ["-f", "lavfi", "-i", source])
        return self._files[seconds]

    @staticmethod
    def _repeated(path: Path, suffix: str, seconds: int) -> Path:
        """Return a clip that repeats another one, which takes less time than to encode it."""
        repeated = path.with_name(f"repeated-{seconds}.{suffix}")
        if not repeated.exists():
            loop = ["-stream_loop", "-1", "-i", str(path), "-t", str(seconds)]
            _convert([*loop, *ARGUMENTS[suffix], "-c:a", "copy"], repeated)
        return repeated


def _convert(arguments: Sequence[str], path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        missing("ffmpeg", "apt-get install ffmpeg")
    unfinished = path.with_name(f"unfinished-{path.name}")
    command = ["ffmpeg", "-v", "error", "-y", *arguments, str(unfinished)]
    subprocess.run(command, check=True, timeout=PATIENCE_SECONDS)
    unfinished.rename(path)
