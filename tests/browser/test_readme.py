"""The examples for front-ends in the documents."""

import asyncio
import re
import subprocess
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.browser.conftest import open_page
from tests.support.bounds import BUILD_SECONDS
from tests.support.processes import ServerProcess, eventually

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "clients" / "js"
DOCUMENTS = ["README.md", "clients/js/README.md", "docs/front-end.md", "docs/quickstart-front-end.md"]
ADDRESS = "http://127.0.0.1:5006"


def blocks(language: str) -> list[tuple[str, str]]:
    """Return the code blocks of a language in all documents, with their names."""
    found = []
    for name in DOCUMENTS:
        for number, block in enumerate(re.findall(rf"```{language}\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)):
            found.append((f"{name}-{number}", block))
    return found


@pytest.mark.parametrize("block", [pytest.param(block, id=name) for name, block in blocks("html")])
def test_a_page_plays(block: str, server: ServerProcess, chromium: Chromium, tmp_path: Path) -> None:
    """In its own file, with only the port changed."""
    server.announce("demo", (ROOT / "demo" / "welcome.mp3").read_bytes())
    page_file = tmp_path / "example.html"
    page_file.write_text(block.replace(ADDRESS, server.url))
    audio = (
        "document.querySelector('asf-player').audio" if "<asf-player" in block else "document.querySelector('audio')"
    )

    async def scenario() -> None:
        async with open_page(chromium, page_file.as_uri()) as page:
            await page.click("button:not([disabled])")
            await page.wait_for_function(f"{audio}.currentTime > 1")

    chromium.run(scenario())


def test_a_page_shows_the_progress(server: ServerProcess, chromium: Chromium, tmp_path: Path) -> None:
    """That of the quickstart, when the command below it has sent an update."""
    [block] = [block for name, block in blocks("html") if name.startswith("docs/quickstart") and "<progress" in block]
    page_file = tmp_path / "example.html"
    page_file.write_text(block.replace(ADDRESS, server.url))

    eventually(lambda: "asf_ui_subscriptions 0.0" in server.metrics())  # Earlier pages have disconnected.

    async def scenario() -> None:
        async with open_page(chromium, page_file.as_uri()) as page:
            await asyncio.to_thread(eventually, lambda: "asf_ui_subscriptions 1.0" in server.metrics())
            await asyncio.to_thread(server.send_ui_update, "alice", "generation_progress", {"percentage": 50})
            await page.wait_for_function("document.querySelector('progress').value === 50")

    chromium.run(scenario())


def test_a_page_watches(server: ServerProcess, chromium: Chromium, tmp_path: Path) -> None:
    """The updates are logged to its console, the first one after the subscription, too.

    Playwright reports what a console shows only once it has heard that somebody listens, so the page keeps it.
    """
    script = example(".watch(")
    page_file = tmp_path / "example.html"
    keep = "<script>const logged = []; console.log = (...shown) => logged.push(shown);</script>"
    page_file.write_text(f'{keep}<script type="module">{script}</script>'.replace(ADDRESS, server.url))

    eventually(lambda: "asf_ui_subscriptions 0.0" in server.metrics())  # Earlier pages have disconnected.

    async def scenario() -> None:
        async with open_page(chromium, page_file.as_uri()) as page:
            await asyncio.to_thread(eventually, lambda: "asf_ui_subscriptions 1.0" in server.metrics())
            await asyncio.to_thread(server.send_ui_update, "alice", "task_completed", {"a": 1})
            await page.wait_for_function("logged.some(([, event]) => event === 'task_completed')")

    chromium.run(scenario())


def test_a_page_passes_tokens(server: ServerProcess, chromium: Chromium, tmp_path: Path) -> None:
    """Of its backend to the player."""
    server.announce("demo", (ROOT / "demo" / "welcome.mp3").read_bytes())
    script = example("/your-backend/token").replace("/your-backend/token", "data:text/plain,abc")
    page_file = tmp_path / "example.html"
    player = '<script type="module" src="http://127.0.0.1:5006/asf/client/asf-player.js"></script>'
    player += '<asf-player server="http://127.0.0.1:5006" stream="demo"></asf-player>'
    page_file.write_text(f'{player}<script type="module">{script}</script>'.replace(ADDRESS, server.url))

    async def scenario() -> None:
        async with open_page(chromium, page_file.as_uri()) as page:
            await page.wait_for_function("document.querySelector('asf-player').token !== undefined")
            assert await page.evaluate("document.querySelector('asf-player').token()") == "abc"
            await page.click("button:not([disabled])")
            await page.wait_for_function("document.querySelector('asf-player').audio.currentTime > 1")

    chromium.run(scenario())


def example(part: str) -> str:
    """Return the only script in the front-end guide that contains `part`."""
    (script,) = [block for name, block in blocks("js") if name.startswith("docs/front-end.md") and part in block]
    return script


def test_the_unit_tests_of_the_client_pass() -> None:
    """On the built client."""
    completed = subprocess.run(
        ["node", "--test"], cwd=PACKAGE, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    assert completed.returncode == 0, completed.stdout
    assert int(re.findall(r"pass (\d+)", completed.stdout)[-1]) > 30
