"""Audio that begins with a picture of five megabytes."""

import random
import struct
import subprocess
from pathlib import Path

import pytest

from tests.browser.audio import CLIP, CLIP_SECONDS, AudioFiles
from tests.browser.pages import Pages, assert_received
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

PICTURE = b"\xff\xd8\xff\xe0" + random.Random(5).randbytes(5_000_000)
"""What begins as JPEG does: anything, also what looks like frames of audio."""


def with_id3(audio: bytes) -> bytes:
    """Return MP3 with the picture in a tag in front (ID3v2.4, section 3.1)."""
    content = b"\x00image/jpeg\x00\x03\x00" + PICTURE
    frame = b"APIC" + _synchsafe(len(content)) + b"\x00\x00" + content
    return b"ID3\x04\x00\x00" + _synchsafe(len(frame)) + frame + audio


def _synchsafe(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def with_picture_block(audio: bytes) -> bytes:
    """Return FLAC with the picture in a block behind the first one (RFC 9639, section 8.8)."""
    mime = b"image/jpeg"
    content = struct.pack(">II", 3, len(mime)) + mime + struct.pack(">IIIIII", 0, 1, 1, 24, 0, len(PICTURE)) + PICTURE
    first = 4 + 4 + 34
    assert audio[4] & 0x7F == 0
    return audio[:first] + b"\x06" + len(content).to_bytes(3, "big") + content + audio[first:]


def with_list(audio: bytes) -> bytes:
    """Return WAV with the picture in a chunk in front of the samples."""
    return audio[:12] + b"id3 " + struct.pack("<I", len(PICTURE)) + PICTURE + audio[12:]


def as_mp4(folder: Path) -> bytes:
    """Return fragmented MP4 with the picture in its header, as far as ffmpeg takes it: padding of that size."""
    path = folder / "clip.mp4"
    fragments = ["-frag_duration", "1000000", "-movflags", "frag_keyframe+empty_moov+default_base_moof"]
    command = ["ffmpeg", "-v", "error", "-i", str(CLIP), "-map_metadata", "-1", "-c:a", "aac", *fragments, str(path)]
    subprocess.run(command, check=True, timeout=PATIENCE_SECONDS)
    audio = path.read_bytes()
    at = audio.index(b"moov") - 4
    [size] = struct.unpack_from(">I", audio, at)
    free = struct.pack(">I", 8 + len(PICTURE)) + b"free" + PICTURE
    moov = struct.pack(">I", size + len(free)) + audio[at + 4 : at + size] + free
    return audio[:at] + moov + audio[at + size :]


@pytest.mark.parametrize("kind", ["mp3", "flac", "wav", "mp4"])
def test_it_is_heard_whole(
    kind: str, server: ServerProcess, pages: Pages, audio_files: AudioFiles, tmp_path: Path
) -> None:
    """From its beginning to its end, and its length is that of the audio."""
    make = {
        "mp3": lambda: with_id3(audio_files.read("mp3")),
        "flac": lambda: with_picture_block(audio_files.read("flac")),
        "wav": lambda: with_list(audio_files.read("wav")),
        "mp4": lambda: as_mp4(tmp_path),
    }
    audio = make[kind]()
    server.announce(f"cover-{kind}", audio, f"cover.{kind}")

    async def scenario() -> None:
        async with pages.open(server, stream=f"cover-{kind}") as page:
            await page.click("#play")
            await page.wait_for_function("playback.state === 'playing' && playback.progress.currentTime > 0.5")
            await page.wait_for_function("playback.progress.currentTime < 20")
            if await page.evaluate("playback.output") == "mse":
                await page.evaluate("audio.playbackRate = 8")
                await assert_received(page, audio)
            else:
                await page.evaluate("playback.seek({ seconds: 41 })")
            await page.wait_for_function("playback.state === 'ended'")
            assert await page.evaluate("playback.progress.currentTime") == pytest.approx(CLIP_SECONDS, abs=1)
            assert await page.evaluate("seen.errors") == []

    pages.run(scenario())
