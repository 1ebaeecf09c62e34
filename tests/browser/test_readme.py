"""The examples for front-ends in the documents."""

import asyncio
import re
import subprocess
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.browser.conftest import open_page
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import ServerProcess, eventually

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "clients" / "js"
DOCUMENTS = ["README.md", "clients/js/README.md", "docs/front-end.md"]
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

    async def scenario() -> None:
        async with open_page(chromium, page_file.as_uri()) as page:
            await page.click("button")
            await page.wait_for_function("document.querySelector('audio').currentTime > 1")

    chromium.run(scenario())


def test_a_page_watches(server: ServerProcess, chromium: Chromium, tmp_path: Path) -> None:
    """The updates are logged to its console."""
    ((_, script),) = [(name, block) for name, block in blocks("js") if name.startswith("docs/front-end.md")]
    imports = re.search(r'<script type="importmap">.*?</script>', blocks("html")[0][1], re.DOTALL)
    assert imports is not None
    page_file = tmp_path / "example.html"
    page_file.write_text(f'{imports[0]}<script type="module">{script}</script>'.replace(ADDRESS, server.url))

    eventually(lambda: "asf_ui_subscriptions 0.0" in server.metrics())  # Earlier pages have disconnected.

    async def scenario() -> None:
        async with open_page(chromium, page_file.as_uri()) as page:
            await asyncio.to_thread(eventually, lambda: "asf_ui_subscriptions 1.0" in server.metrics())
            logged: list[str] = []
            page.on("console", lambda message: logged.append(message.text))

            def send_until_logged() -> bool:
                server.send_ui_update("alice", "task_completed", {"a": 1})
                return any("task_completed" in text for text in logged)

            await asyncio.to_thread(eventually, send_until_logged)

    chromium.run(scenario())


def test_the_unit_tests_of_the_client_pass() -> None:
    """On the built client."""
    completed = subprocess.run(
        ["node", "--test"], cwd=PACKAGE, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert completed.returncode == 0, completed.stdout
    assert int(re.findall(r"pass (\d+)", completed.stdout)[-1]) > 30
