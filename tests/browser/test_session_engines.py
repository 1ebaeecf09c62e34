"""A path that goes silent, in three browser engines."""

import pytest

from tests.browser.audio import ToneClips
from tests.browser.hearing import HearingPage
from tests.support.black_hole import BlackHole
from tests.support.fixtures import StartServer

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

SECONDS = 50
STORED_SECONDS = 25


@pytest.mark.soak
def test_a_silent_path_is_not_heard(page: HearingPage, start_server: StartServer, clips: ToneClips) -> None:
    """With audio in store, one second is heard after the other, to the last one."""
    server = start_server({"TEST_PING_SECONDS": "600"}, observed=True)
    server.announce("clip", clips.read("webm", SECONDS), "clip.webm")
    proxy = BlackHole(server.port)
    page.open(server, through=proxy.url)
    page.evaluate("void (seen.connections = [], client.on('connection', (state) => seen.connections.push(state)))")
    page.engine.click("#play")
    page.wait_for(f"playback.progress.aheadSeconds > {STORED_SECONDS} && playback.state === 'playing'")
    proxy.silence()
    page.wait_for("seen.connections.join() === 'connecting,connected,reconnecting,connected'")
    page.hear(SECONDS - 1)
    assert "stalled" not in page.evaluate("seen.states")
    page.check_errors()
    assert page.evaluate("seen.heard") == list(range(SECONDS))
