"""One tap, and sound: on phones, which let a page play only what was started in a user's click (devices.js)."""

import pytest

from tests.browser.audio import ToneClips
from tests.browser.hearing import HearingPage
from tests.support.fixtures import StartServer

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

SECONDS = 30

DEVICES = ["old", "managed"]
FORMATS = ["mp3", *(pytest.param(suffix, marks=pytest.mark.soak) for suffix in ["aac", "mp4", "m4a", "flac", "wav"])]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("device", DEVICES)
def test_one_tap_is_heard(
    page: HearingPage, device: str, suffix: str, start_server: StartServer, clips: ToneClips
) -> None:
    """By the right way: a managed Media Source is fed only when it wants data."""
    server = start_server({})
    server.announce("clip", clips.read(suffix, SECONDS), f"clip.{suffix}")
    page.play(server, device=device)
    page.hear(0)
    page.hear(3)
    by_url = device == "old" or suffix == "m4a"
    assert page.evaluate("playback.output") == ("url" if by_url else "mse")
    page.check_errors()
    assert page.evaluate("fedTooEarly") == 0


@pytest.mark.soak
@pytest.mark.parametrize("device", DEVICES)
def test_a_tap_waits_for_its_stream(
    page: HearingPage, device: str, start_server: StartServer, clips: ToneClips
) -> None:
    """Which is announced long after the click."""
    server = start_server({})
    page.play(server, device=device, options='{"wait": true}')
    page.wait_for("playback.state === 'waiting'")
    server.announce("clip", clips.read("mp3", SECONDS))
    page.hear(1)
    page.check_errors()


@pytest.mark.soak
@pytest.mark.parametrize("device", DEVICES)
def test_a_tap_waits_for_its_token(
    page: HearingPage, device: str, start_server: StartServer, clips: ToneClips
) -> None:
    """Which the page has to ask for: a promise."""
    server = start_server({})
    server.announce("clip", clips.read("mp3", SECONDS))
    page.open(server, device=device)
    page.evaluate("window.token = new Promise((done) => setTimeout(() => done('token'), 1500)), 0")
    page.engine.click("#play")
    page.hear(1)
    page.check_errors()


RESUMING = """(() => {
    const [play, resume] = [document.getElementById("play"), document.createElement("button")];
    play.replaceWith(resume);
    resume.id = "play";
    resume.textContent = "Resume";
    resume.addEventListener("click", () => { resumeHearing(); playback.resume(); });
})()"""
"""Makes the button resume what it has started."""


@pytest.mark.soak
@pytest.mark.parametrize("device", DEVICES)
def test_no_tap_is_an_error(page: HearingPage, device: str, start_server: StartServer, clips: ToneClips) -> None:
    """Which a tap clears."""
    server = start_server({})
    server.announce("clip", clips.read("mp3", SECONDS))
    page.open(server, device=device)
    page.evaluate("document.getElementById('play').dispatchEvent(new Event('click'))")
    page.wait_for("seen.errors.length > 0")
    assert {code for code, _ in page.evaluate("seen.errors")} == {"ASF_CLIENT_AUTOPLAY_BLOCKED"}
    page.wait_for("playback.state === 'paused'")
    page.evaluate(RESUMING)
    page.engine.click("#play")
    page.hear(1)


@pytest.mark.soak
@pytest.mark.parametrize("device", DEVICES)
def test_it_plays_to_its_end_and_again(
    page: HearingPage, device: str, start_server: StartServer, clips: ToneClips
) -> None:
    """Without another tap."""
    server = start_server({})
    server.announce("clip", clips.read("mp3", SECONDS))
    page.play(server, device=device)
    page.hear(1)
    page.evaluate("playback.seek({ seconds: 27.5 })")
    page.end(SECONDS)
    page.seek(3.5)
    page.wait_for("playback.state === 'playing'")
    page.check_errors()
    assert page.evaluate("fedTooEarly") == 0
