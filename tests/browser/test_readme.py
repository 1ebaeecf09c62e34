"""The example of the browser client's README, as it is."""

import asyncio
import re
import subprocess
from pathlib import Path

import pytest

from tests.browser.conftest import open_page
from tests.support.processes import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "clients" / "js"


def test_the_example_plays(server: ServerProcess, chromium: str, tmp_path: Path) -> None:
    """In a file of its own, with nothing but the port changed."""
    block = re.search(r"```html\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
    assert block is not None
    page_file = tmp_path / "example.html"
    page_file.write_text(block[1].replace("127.0.0.1:5006", server.url.removeprefix("http://")))

    async def scenario() -> None:
        async with open_page(chromium, page_file.as_uri()) as page:
            await page.click("button")
            await asyncio.to_thread(server.announce, "demo", (ROOT / "demo" / "welcome.mp3").read_bytes())
            await page.wait_for_function("document.querySelector('audio').currentTime > 1")

    asyncio.run(scenario())


def test_the_logic_holds() -> None:
    """The client's own tests, on what was built."""
    completed = subprocess.run(
        ["node", "--test"], cwd=PACKAGE, capture_output=True, text=True, timeout=60, check=False
    )
    assert completed.returncode == 0, completed.stdout
    assert int(re.findall(r"pass (\d+)", completed.stdout)[-1]) > 30
