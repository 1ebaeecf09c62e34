"""Front-ends that use only the documented events, with the unmodified Socket.IO client."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.browser.conftest import open_page
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import audio_of
from tests.support.processes import ServerProcess

pytestmark = pytest.mark.browser

CLIP = Path(__file__).parents[2] / "demo" / "welcome.mp3"


@pytest.mark.usefixtures("npm_packages")
def test_the_default_client_gets_the_audio(server: ServerProcess) -> None:
    """It connects by polling, joins, and upgrades to WebSocket while audio starts to flow."""
    audio = audio_of(2_000_000)
    server.announce("s", audio)
    command = ["node", "listener.mjs", server.url, "s"]
    folder = Path(__file__).parent
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=PATIENCE_SECONDS, check=True)
    result = json.loads(done.stdout)
    assert result["bytes"] == len(audio)
    assert result["sha256"] == hashlib.sha256(audio).hexdigest()
    assert result["events"] == ["connection_ack", "joined", "start_of_stream", "end_of_stream"]
    assert result["transports"][-1] == "websocket"


def test_a_page_plays(server: ServerProcess, chromium: Chromium, page_server: str) -> None:
    """A click on Play plays the clip: equal bytes, one buffered range, and sound."""
    audio = CLIP.read_bytes()
    server.announce("clip", audio)
    url = f"{page_server}/player.html?server={server.url.removeprefix('http://')}&stream=clip"

    async def scenario() -> None:
        async with open_page(chromium, url) as page:
            await page.click("#play")
            await page.wait_for_function("audio.currentTime > 1.5")
            await page.wait_for_function("window.level() > 0.01")
            await page.wait_for_function("window.result.ended && audio.duration < 100")
            result = await page.evaluate("window.result")
            assert result["errors"] == []
            assert result["allArrayBuffers"]
            assert await page.evaluate("window.sha256()") == hashlib.sha256(audio).hexdigest()
            assert await page.evaluate("audio.buffered.length") == 1
            assert await page.evaluate("audio.duration") == pytest.approx(44, abs=2)

    chromium.run(scenario())
