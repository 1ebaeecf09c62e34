"""Audio as ffmpeg makes it: its duration is found in its bytes."""

import shutil
import subprocess
from pathlib import Path

import pytest

from asf.adapters.audio_formats import scanner_of
from asf.adapters.media_types import named_type
from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS

CLIP = Path(__file__).parents[2] / "demo" / "welcome.mp3"
CLIP_SECONDS = 44.3

FORMATS = {
    "cbr.mp3": ["-b:a", "128k"],
    "vbr.mp3": ["-q:a", "4"],
    "untagged.mp3": ["-b:a", "64k", "-ar", "22050", "-write_xing", "0", "-id3v2_version", "0"],
    "adts.aac": ["-c:a", "aac", "-b:a", "96k"],
    "table.m4a": ["-c:a", "aac", "-b:a", "96k", "-movflags", "faststart"],
    "fragments.mp4": [
        *("-c:a", "aac", "-b:a", "96k", "-frag_duration", "1000000"),
        *("-movflags", "frag_keyframe+empty_moov+default_base_moof"),
    ],
    "clusters.webm": ["-c:a", "libopus", "-b:a", "48k"],
    "opus.ogg": ["-c:a", "libopus", "-b:a", "48k"],
    "vorbis.ogg": ["-c:a", "libvorbis", "-ar", "44100"],
    "flac.ogg": ["-c:a", "flac", "-f", "ogg"],
    "lossless.flac": [],
    "pcm.wav": ["-c:a", "pcm_s16le"],
}
"""Arguments of ffmpeg, by file name."""


@pytest.mark.parametrize("name", FORMATS)
def test_the_duration_is_found(name: str, tmp_path: Path) -> None:
    """In pieces of some sizes, and from the middle on: no more than there is, and only a few seconds less."""
    if shutil.which("ffmpeg") is None:
        missing("ffmpeg", "apt-get install ffmpeg")
    path = tmp_path / name
    command = ["ffmpeg", "-v", "error", "-i", str(CLIP), *FORMATS[name], str(path)]
    subprocess.run(command, check=True, timeout=PATIENCE_SECONDS)
    data = path.read_bytes()
    for piece in (65536, 3000):
        for start in (0, len(data) // 2):
            scanner = scanner_of(named_type(name) or "")
            assert scanner is not None
            while scanner.beginning_bytes:
                scanner.begin(data[: scanner.beginning_bytes])
            offsets = range(start, len(data), piece)
            seconds = sum(scanner.scan(offset, data[offset : offset + piece])[1] for offset in offsets)
            expected = CLIP_SECONDS * (len(data) - start) / len(data)
            assert expected - 12 < seconds < expected + 3, (piece, start)
