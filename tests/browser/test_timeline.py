"""Length and seeks of MP3 with a variable bit rate that starts with silence, in two browser engines."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser.hearing import HearingPage
from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer

SECONDS = 200

SILENCE = 40
"""Seconds of near silence, which have a quarter of the byte rate of the others."""

WRITTEN = 0.7
"""Share of the file that there is while it grows."""


ENGINES = ["chromium", pytest.param("firefox", marks=pytest.mark.soak)]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.usefixtures("built_client"),
    pytest.mark.parametrize("engine", ENGINES, indirect=True, scope="session"),
]

EARLY_SECONDS = 1
"""How early a seek may be: the header tells times to a hundredth of the length."""


class Clips:
    """Files of lame's, from the same audio: second n is a sine of 300 + 40 n Hz, with noise."""

    def __init__(self, folder: Path) -> None:
        for program in ["ffmpeg", "lame"]:
            if shutil.which(program) is None:
                missing(program, f"apt-get install {program}")
        tone = "0.4*sin(2*PI*(300+40*floor(t))*t)+0.2*(0.2+gt(mod(t,17),9))*(random(0)-0.5)"
        source = f"aevalsrc='if(lt(t,{SILENCE}),0.0005*sin(2*PI*200*t),{tone})':s=44100:d={SECONDS}"
        self._wav, self._folder = folder / "clip.wav", folder
        _run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, str(self._wav))

    def with_header(self) -> bytes:
        """Return the file with a Xing header."""
        path = self._folder / "clip.mp3"
        if not path.exists():
            _run("lame", "--quiet", "-V", "4", "-m", "m", str(self._wav), str(path))
        return path.read_bytes()

    def from_pipe(self) -> bytes:
        """Return the file as it comes through a pipe, so that its header is empty."""
        return _run("lame", "--quiet", "-V", "4", "-m", "m", str(self._wav), "-")


def _run(*command: str) -> bytes:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=PATIENCE_SECONDS).stdout


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Return the clips."""
    return Clips(tmp_path_factory.mktemp("silent"))


@pytest.mark.parametrize("growing", [False, True])
def test_a_header_tells_the_length_and_where_to_seek(
    page: HearingPage, growing: bool, start_server: StartServer, clips: Clips
) -> None:
    """At once, while the silence of the beginning would tell five times as much."""
    server = start_server({})
    audio = clips.with_header()
    path = server.audio_root / "clip.mp3"
    path.write_bytes(audio[: int(len(audio) * WRITTEN)] if growing else audio)
    server.notify("clip", str(path), state="generating" if growing else "complete").raise_for_status()
    page.play(server)
    page.wait_for("playback.progress.currentTime > 0.5")
    for second in [100, 60, 130, 45]:
        page.seek(second + 0.5, early=EARLY_SECONDS)
    if growing:
        assert page.evaluate("playback.progress.totalSeconds") is None
        with path.open("ab") as file:
            file.write(audio[int(len(audio) * WRITTEN) :])
        server.notify("clip", str(path), state="complete").raise_for_status()
        page.seek(SECONDS - 19.5, early=EARLY_SECONDS)  # The server tells the size at the next start.
    page.wait_for("playback.progress.totalSeconds !== null")
    assert page.evaluate("playback.progress.totalSeconds") == pytest.approx(SECONDS, rel=0.01)
    page.seek(SECONDS - 9.5, early=EARLY_SECONDS)
    page.wait_for("playback.state === 'ended'")
    assert page.evaluate("playback.progress.totalSeconds") == pytest.approx(SECONDS, rel=0.01)
    page.check_errors()


def test_without_a_header_it_is_corrected(page: HearingPage, start_server: StartServer, clips: Clips) -> None:
    """Seeks into what was received are exact, and the length follows what is known."""
    server = start_server({})
    audio = clips.from_pipe()
    path = server.audio_root / "clip.mp3"
    path.write_bytes(audio[: int(len(audio) * WRITTEN)])
    server.notify("clip", str(path), state="generating").raise_for_status()
    page.play(server)
    page.wait_for("playback.progress.currentTime > 0.5")
    page.evaluate("audio.playbackRate = 8")
    page.wait_for("playback.progress.currentTime > 100")
    page.evaluate("audio.playbackRate = 1")
    for second in [50, 90, 41, 70]:
        page.seek(second + 0.5, early=EARLY_SECONDS)
    with path.open("ab") as file:
        file.write(audio[int(len(audio) * WRITTEN) :])
    server.notify("clip", str(path), state="complete").raise_for_status()
    page.seek(45.5, early=EARLY_SECONDS)  # The server tells the size at the next start.
    page.wait_for("playback.progress.totalSeconds !== null")
    assert page.evaluate("playback.progress.totalSeconds") == pytest.approx(SECONDS, rel=0.25)
    page.evaluate("audio.playbackRate = 8")
    page.wait_for("playback.state === 'ended'")
    assert page.evaluate("playback.progress.currentTime") == pytest.approx(SECONDS, rel=0.01)
    assert page.evaluate("playback.progress.totalSeconds") == pytest.approx(SECONDS, rel=0.01)
    page.check_errors()
