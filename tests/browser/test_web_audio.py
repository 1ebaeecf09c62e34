"""WAV where Media Source takes no FLAC, in three browser engines: it is heard through Web Audio, on phones too."""

import pytest

from tests.browser.audio import ToneClips
from tests.browser.hearing import HearingPage
from tests.support.fixtures import StartServer

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

SECONDS = 20

FILES = [
    "wav",
    *(pytest.param(suffix, marks=pytest.mark.soak) for suffix in ["stereo.wav", "studio.wav", "phone.wav"]),
]

WITHOUT_FLAC = """(() => {
    const Source = window.MediaSource ?? window.ManagedMediaSource;
    const { isTypeSupported } = Source;
    Source.isTypeSupported = (type) => !type.includes("flac") && isTypeSupported.call(Source, type);
})()"""


@pytest.mark.parametrize("suffix", FILES)
@pytest.mark.parametrize("device", ["", "managed"])
def test_wav_is_heard(
    page: HearingPage, device: str, suffix: str, start_server: StartServer, clips: ToneClips
) -> None:
    """From one click on, at any rate; where it is sought, to its end, and again from its beginning."""
    server = start_server({})
    server.announce("clip", clips.read(suffix, SECONDS), "clip.wav")
    page.open(server, **({"device": device} if device else {}))
    page.evaluate(WITHOUT_FLAC)
    page.engine.click("#play")
    page.hear(0)
    page.hear(2)
    assert page.evaluate("playback.output") == "pcm"
    page.seek(10.5)
    page.evaluate("playback.pause()")
    page.wait_for("playback.state === 'paused'")
    page.mark("playback.resume()")
    page.hear(10, late=5)
    page.seek(SECONDS - 4.5)
    page.end(SECONDS)
    if not device and page.engine.name != "webkit":  # There, as on phones, that takes another tap.
        page.mark("playback.resume()")
        page.hear(0)
        page.hear(2)
    page.check_errors()
