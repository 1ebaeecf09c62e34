"""Front-ends that use only the documented events, with the unmodified Socket.IO client."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.browser.audio import CLIP_SECONDS, AudioFiles
from tests.browser.chromium import Chromium
from tests.browser.conftest import open_page
from tests.support.bounds import PATIENCE_SECONDS, STREAM_SECONDS
from tests.support.fixtures import StartServer, audio_of
from tests.support.processes import ServerProcess

pytestmark = pytest.mark.browser

AUDIO = audio_of(300_000)
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


@pytest.fixture
def strict_server(start_server: StartServer) -> ServerProcess:
    """Return a server for pages of another origin, with a stream."""
    server = start_server({"ASF_CORS_ALLOWED_ORIGINS": "https://app.example"})
    server.announce("s", AUDIO)
    return server


@pytest.mark.usefixtures("npm_packages")
def test_the_default_client_of_node_connects_where_origins_are_listed(strict_server: ServerProcess) -> None:
    """It sends no origin."""
    command = ["node", "listener.mjs", strict_server.url, "s"]
    folder = Path(__file__).parent
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=PATIENCE_SECONDS, check=True)
    assert json.loads(done.stdout)["sha256"] == hashlib.sha256(AUDIO).hexdigest()


LISTEN = """
(transports) => new Promise((resolve) => {
  const socket = io(location.origin + "/api/v1/podcasts/stream", { transports, forceNew: true });
  let bytes = 0;
  socket.on("connect", () => socket.emit("join_stream", { stream_id: "s" }));
  socket.on("audio_chunk", (chunk) => (bytes += chunk.byteLength));
  socket.on("audio_control", (message) => message.event === "end_of_stream" && resolve(bytes));
  socket.on("connect_error", (error) => resolve(error.message));
})
"""


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]], ids="-".join)
def test_a_page_of_the_server_itself_connects_where_origins_are_listed(
    strict_server: ServerProcess, chromium: Chromium, npm_packages: Path, transports: list[str]
) -> None:
    """Over each transport, three times."""

    async def scenario() -> None:
        async with open_page(chromium, f"{strict_server.url}/asf/health") as page:
            await page.add_script_tag(path=str(npm_packages / "socket.io.min.js"))
            for _ in range(3):
                assert await page.evaluate(LISTEN, transports) == len(AUDIO)

    chromium.run(scenario())


NAMESPACES = """
(url) => new Promise((resolve) => io(url).on("connect_error", (error) => resolve([error.message, error.data])))
"""


@pytest.mark.parametrize("path", ["", "/nowhere"])
def test_a_page_learns_the_namespaces(
    server: ServerProcess, chromium: Chromium, npm_packages: Path, path: str
) -> None:
    """From the error with which an unknown one is refused, as if there is none."""

    async def scenario() -> None:
        async with open_page(chromium, f"{server.url}/asf/health") as page:
            await page.add_script_tag(path=str(npm_packages / "socket.io.min.js"))
            message, data = await page.evaluate(NAMESPACES, server.url + path)
            assert "/api/v1/podcasts/stream" in message
            assert "/ui_updates" in message
            assert data["error_code"] == "ASF_UNKNOWN_NAMESPACE"

    chromium.run(scenario())


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


@pytest.mark.long
def test_a_long_episode_does_not_overflow_the_page(
    server: ServerProcess, chromium: Chromium, page_server: str, audio_files: AudioFiles
) -> None:
    """A quarter of an hour at 320 kbit/s, three times what a SourceBuffer keeps: a minute of it, in real time.

    At the documented pace the page would have had it all after a minute and a half, and thrown after half a minute.
    """
    clip = audio_files.read("320.mp3")
    server.announce("episode", clip * 20)
    url = f"{page_server}/player.html?server={server.url.removeprefix('http://')}&stream=episode"
    watch = f"""setInterval(() => {{
        const unheard = window.result.chunks * 4096 - audio.currentTime * {len(clip) / CLIP_SECONDS};
        window.most = Math.max(window.most ?? 0, unheard);
    }}, 100)"""

    async def scenario() -> None:
        async with open_page(chromium, url) as page:
            await page.click("#play")
            await page.evaluate(watch)
            await page.wait_for_function("audio.currentTime > 60", timeout=1000 * STREAM_SECONDS)
            assert await page.evaluate("window.result.errors") == []
            assert 2 * 2**20 < await page.evaluate("window.most") < 6 * 2**20
            assert await page.evaluate("audio.buffered.length") == 1

    chromium.run(scenario())
