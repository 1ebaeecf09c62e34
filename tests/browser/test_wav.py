"""What is heard of WAV as text-to-speech engines write it, in three engines: all of it, once, without noise."""

import wave

import pytest

from tests.browser.audio import ToneClips
from tests.browser.hearing import HearingPage
from tests.browser.wav_files import ID3, LIST, RATE, UNKNOWN, header, samples, whole
from tests.support.fixtures import StartServer
from tests.support.processes import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.soak, pytest.mark.usefixtures("built_client")]

SECONDS = 10

FILES = {
    "one file": whole(0, SECONDS),
    "five files": b"".join(whole(first, first + 2) for first in range(0, SECONDS, 2)),
    "five files without sizes": b"".join(
        header(UNKNOWN) + samples(first, first + 2) for first in range(0, SECONDS, 2)
    ),
    "sizes of 0, and chunks behind": header(0, 0) + samples(0, SECONDS) + LIST + ID3,
    "unknown sizes, and chunks behind": header(UNKNOWN) + samples(0, SECONDS) + LIST + ID3,
    "made-up sizes": header(0x7FFFF000) + samples(0, SECONDS),
    "sizes of the first second": header(2 * RATE) + samples(0, SECONDS),
}


def play(page: HearingPage, server: ServerProcess, **more: str) -> None:
    """Open a page and click, and wait until it plays."""
    page.play(server, **more)
    note = "playback.on('progress', (progress) => totals.push(progress.totalSeconds))"
    page.evaluate(f"(window.totals = [], {note}, true)")
    page.wait_for("playback.state === 'playing'")


def hear_the_end(page: HearingPage) -> None:
    """Wait for the end, and check what was heard until then, and that the duration was never told wrongly."""
    assert page.end(SECONDS) == list(range(SECONDS))
    assert page.evaluate("playback.progress.currentTime") == pytest.approx(SECONDS, rel=0.01)
    durations = [total for total in page.evaluate("totals") if total is not None]
    assert durations
    # Chunks behind samples without a size count until they are reached: half a second here.
    assert all(abs(total - SECONDS) < 0.06 * SECONDS for total in durations), durations
    assert abs(durations[-1] - SECONDS) < 0.01 * SECONDS


@pytest.mark.parametrize("audio", FILES.values(), ids=FILES)
def test_every_second_is_heard_once(page: HearingPage, audio: bytes, start_server: StartServer) -> None:
    """Of complete audio."""
    server = start_server({})
    server.announce("clip", audio, "clip.wav")
    play(page, server)
    hear_the_end(page)


@pytest.mark.parametrize("suffix", ["studio.wav", "float.wav", "phone.wav"])
def test_samples_of_all_kinds(page: HearingPage, suffix: str, start_server: StartServer, clips: ToneClips) -> None:
    """Of telephony and of studios."""
    server = start_server({})
    server.announce("clip", clips.read(suffix, SECONDS), "clip.wav")
    play(page, server)
    hear_the_end(page)


def test_a_header_that_is_corrected_as_the_file_grows(page: HearingPage, start_server: StartServer) -> None:
    """Python's `wave` writes the sizes of the first piece, and corrects them with each other one."""
    server = start_server({})
    path = server.audio_root / "clip.wav"
    with path.open("w+b") as file, wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(samples(0, 3))
        file.flush()
        server.notify("clip", str(path), state="generating").raise_for_status()
        play(page, server)
        assert page.evaluate("playback.output") == "mse"
        writer.writeframes(samples(3, 6))
        file.flush()
        page.hear(4)
        assert page.evaluate("totals.every((total) => total === null)")
        writer.writeframes(samples(6, SECONDS))
    server.notify("clip", str(path), state="complete").raise_for_status()
    hear_the_end(page)


def test_the_element_rules(page: HearingPage, start_server: StartServer) -> None:
    """Its loop, its rate and its removal count as with other formats."""
    server = start_server({})
    server.announce("clip", FILES["five files"], "clip.wav")
    # WebKit may stop at another rate where Web Audio hears the element.
    play(page, server, deaf="")
    page.evaluate("(audio.loop = true, playback.seek({ seconds: 8.5 }), true)")
    page.wait_for("audio.currentTime > 8.5 && !audio.seeking")
    page.wait_for("audio.currentTime < 5 && audio.currentTime > 0.5")
    page.evaluate("(audio.playbackRate = 2, window.changed = [performance.now(), audio.currentTime], true)")
    page.wait_for("audio.currentTime > changed[1] + 3")
    rate = page.evaluate("(audio.currentTime - changed[1]) / (performance.now() - changed[0]) * 1000")
    assert rate > 1.2
    page.evaluate("(audio.remove(), true)")
    page.wait_for("playback.state === 'paused'")
    page.check_errors()
