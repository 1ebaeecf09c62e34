"""Audio that starts at an offset, in three browser engines: its seconds count from the beginning."""

import pytest

from tests.browser.audio import ToneClips
from tests.browser.hearing import HearingPage
from tests.support.fixtures import StartServer

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

SECONDS = 60

SECOND = 30
"""Where playing starts."""

FORMATS = ["mp3", "aac", *(pytest.param(suffix, marks=pytest.mark.soak) for suffix in ["mp4", "ogg", "flac", "wav"])]

NEAR_SECONDS = 4
"""How far from there it may start: the byte rate is not constant, and pages and fragments have a second."""


@pytest.mark.parametrize("suffix", FORMATS)
def test_it_plays_from_an_offset(page: HearingPage, suffix: str, start_server: StartServer, clips: ToneClips) -> None:
    """Of which the clock tells the second; so a seek back is to where it says."""
    audio = clips.read(suffix, SECONDS)
    server = start_server({})
    server.announce("clip", audio, f"clip.{suffix}")
    offset = int(len(audio) * (SECOND + 0.5) / SECONDS)
    page.play(server, options=f'{{"offset": {offset}}}')
    page.hear(SECOND, early=NEAR_SECONDS, late=NEAR_SECONDS, clock=True)
    page.seek(10.5)
    page.seek(SECONDS - 3.5)
    page.end(SECONDS)
