"""The examples, each played in a browser."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser.audio import CLIP
from tests.browser.chromium import Chromium
from tests.browser.conftest import open_page
from tests.browser.page_server import serving
from tests.browser.player import AUDIO
from tests.browser.prerequisites import missing
from tests.support.bounds import BUILD_SECONDS
from tests.support.processes import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:5006"


def test_the_page_without_tools(server: ServerProcess, chromium: Chromium, tmp_path: Path) -> None:
    """With only the address changed."""
    server.announce("demo", CLIP.read_bytes())
    page_file = tmp_path / "index.html"
    page_file.write_text((ROOT / "examples" / "html" / "index.html").read_text().replace(ADDRESS, server.url))

    async def scenario() -> None:
        async with open_page(chromium, page_file.as_uri()) as page:
            await page.click("#play")
            await page.wait_for_function(f"{AUDIO}.currentTime > 1")
            await page.wait_for_selector("#state:text-is('playing')")
            assert await page.text_content("#artist") == "Audio Stream Feeder"

    chromium.run(scenario())


@pytest.mark.long
def test_the_react_application(server: ServerProcess, chromium: Chromium, tmp_path: Path) -> None:
    """Installed and built as its README says, from a clone without anything built."""
    if shutil.which("npm") is None:
        missing("npm", "install Node.js with npm")
    ignored = shutil.ignore_patterns("node_modules", "dist", "build", "tests")
    for folder in ("clients/js", "examples/react"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    example = tmp_path / "examples" / "react"
    for command in (["npm", "install", "--no-audit", "--no-fund", "--prefer-offline"], ["npm", "run", "build"]):
        done = subprocess.run(
            command, cwd=example, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    for stream in ("demo", "news"):
        server.announce(stream, CLIP.read_bytes())

    async def scenario(url: str) -> None:
        async with open_page(chromium, f"{url}/index.html?server={server.url}") as page:
            await page.click("#play")
            await page.wait_for_function(f"{AUDIO}.currentTime > 1")
            await page.wait_for_selector("output:text-is('playing')")
            await page.click("button:has-text('news')")
            await page.wait_for_function("document.querySelector('asf-player').playback.streamId === 'news'")
            await page.wait_for_function(f"{AUDIO}.currentTime > 1")
            assert await page.text_content("#title") == "Podcast news"

    with serving(example) as url:
        chromium.run(scenario(url))
