"""What Media Source plays in three browser engines: every format, seeks to the second, holes, and late timestamps."""

import struct
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.browser.audio import ToneClips
from tests.browser.hearing import HearingPage
from tests.support.fixtures import StartServer

pytestmark = [pytest.mark.browser, pytest.mark.soak, pytest.mark.usefixtures("built_client")]

SECONDS = 60
LONG_SECONDS = 180

FORMATS = ["mp3", "aac", "mp4", "webm", "ogg", "vorbis.ogg", "flac.ogg", "flac", "wav", "stereo.wav"]

TIMED = ["mp4", "webm", "ogg", "flac", "wav"]
"""Formats whose frames or containers say at which time they are."""

BURST_SEEKS = 60

BURST_SECONDS = 3.0

MOST_SECONDS_AHEAD = 60

CLUSTER = b"\x1f\x43\xb6\x75"


Play = Callable[[bytes, str], None]


@pytest.fixture
def play(page: HearingPage, start_server: StartServer) -> Play:
    """Return a function that plays audio from a click on, until its first second is heard."""

    def started(audio: bytes, suffix: str) -> None:
        server = start_server({})
        server.announce("clip", audio, f"clip.{suffix}")
        page.play(server)
        page.hear(0)
        assert page.evaluate("playback.output") == "mse"

    return started


def without_clusters(audio: bytes, first: int, count: int) -> bytes:
    """Return WebM without some of its clusters."""
    starts = [0]
    while (at := audio.find(CLUSTER, starts[-1] + 1)) >= 0:
        starts.append(at)
    pieces = [audio[start:end] for start, end in pairwise([*starts, len(audio)])]
    return b"".join(pieces[: first + 1] + pieces[first + 1 + count :])


def later(audio: bytes, seconds: int, rate: int = 44100) -> bytes:
    """Return fragmented MP4 whose timestamps are later by so many seconds."""
    changed = bytearray(audio)
    at = -1
    while (at := audio.find(b"tfdt", at + 1)) >= 0:
        layout = ">Q" if audio[at + 4] == 1 else ">I"
        [time] = struct.unpack_from(layout, audio, at + 8)
        struct.pack_into(layout, changed, at + 8, time + seconds * rate)
    return bytes(changed)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format(page: HearingPage, suffix: str, clips: ToneClips, play: Play) -> None:
    """From the first second; beyond what is buffered, before it, and to the true end."""
    play(clips.read(suffix, SECONDS), suffix)
    page.seek(50.5)
    page.seek(8.5)
    page.seek(SECONDS - 4.5)
    page.end(SECONDS)


@pytest.mark.parametrize("suffix", TIMED)
def test_the_very_time_is_played(page: HearingPage, suffix: str, clips: ToneClips, play: Play) -> None:
    """Where the audio tells its time, a seek lands on it, although it is entered at a cluster or a page."""
    play(clips.read(suffix, SECONDS), suffix)
    page.evaluate("audio.pause()")
    for seconds in (47.3, 11.7):
        page.evaluate(f"playback.seek({{ seconds: {seconds} }})")
        page.wait_for(f"Math.abs(audio.currentTime - {seconds}) < 0.05 && !audio.seeking")
        assert page.evaluate("playback.progress.currentTime") == pytest.approx(seconds, abs=0.05)


@pytest.mark.parametrize("suffix", ["mp3", "webm", "flac"])
def test_after_the_end(page: HearingPage, suffix: str, clips: ToneClips, play: Play) -> None:
    """A seek plays from there: what is buffered, what is not, and by the element's own slider."""
    play(clips.read(suffix, SECONDS), suffix)
    for expression, second in [
        (f"playback.seek({{ seconds: {SECONDS - 4}.5 }})", SECONDS - 4),
        ("playback.seek({ seconds: 5.5 })", 5),
        (f"audio.currentTime = {SECONDS - 4}.5", SECONDS - 4),
        ("audio.currentTime = 20.5", 20),
    ]:
        page.seek(SECONDS - 2.5)
        page.wait_for("playback.state === 'ended' && heardSecond() === null")
        page.mark(f"(window.earlier = seen.states.length, {expression})")
        page.hear(second)
        page.wait_for("seen.states.slice(earlier).includes('playing')")
    page.check_errors()


@pytest.mark.parametrize("suffix", ["mp3", "webm", "ogg", "wav"])
def test_the_last_of_many_seeks_wins(page: HearingPage, suffix: str, clips: ToneClips, play: Play) -> None:
    """Sixty in three seconds, all over the clip."""
    play(clips.read(suffix, SECONDS), suffix)
    page.evaluate(
        f"""(async () => {{
            for (let index = 0; index < {BURST_SEEKS}; index += 1) {{
                playback.seek({{ seconds: index + 1 === {BURST_SEEKS} ? 33.5 : (index * 37) % {SECONDS - 5} }});
                await new Promise((resolve) => setTimeout(resolve, {1000 * BURST_SECONDS / BURST_SEEKS}));
            }}
        }})()"""
    )
    page.mark()
    page.hear(33)
    page.hear(35)
    page.check_errors()


@pytest.mark.parametrize(("suffix", "first"), [("tiny-clusters.webm", 40), ("short-clusters.webm", 4)])
def test_a_hole(page: HearingPage, suffix: str, first: int, clips: ToneClips, play: Play) -> None:
    """Of 0.1 or 2 s, from second 4 on: playing goes on behind it."""
    play(without_clusters(clips.read(suffix, SECONDS), first, 1 if first > 4 else 2), "webm")
    page.hear(7)
    page.evaluate(f"playback.seek({{ seconds: {SECONDS - 3}.5 }})")
    page.end(SECONDS)


@pytest.mark.parametrize("kind", ["webm", "mp4"])
def test_late_timestamps(page: HearingPage, kind: str, clips: ToneClips, play: Play) -> None:
    """Audio that starts at an hour, as of a recorder that runs, starts at 0, and is fetched no further ahead."""
    late = clips.read("late.webm", LONG_SECONDS) if kind == "webm" else later(clips.read("mp4", LONG_SECONDS), 3600)
    play(late, kind)
    page.wait_for("playback.progress.aheadSeconds > 25")
    assert page.evaluate("playback.progress.receivedBytes") < len(late) / 2
    assert page.evaluate("playback.progress.aheadSeconds") < MOST_SECONDS_AHEAD
    assert page.evaluate("playback.progress.currentTime") < MOST_SECONDS_AHEAD
    page.seek(120.5)
    page.seek(3.5)
    page.check_errors()
