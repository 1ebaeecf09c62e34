"""Takes docs/console.png: the console, while the demo podcast is being generated and played.

Needs Chromium, `make client`, and the packages of `make test`.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.async_api import ViewportSize, async_playwright

PICTURE = Path(__file__).parents[1] / "docs" / "console.png"
SIZE: ViewportSize = {"width": 1180, "height": 940}

HEARD_SECONDS = 14
"""When the picture is taken: in the middle of a sentence."""

PLAYER = "document.querySelector('asf-player')"


async def take(url: str, chromium: str) -> None:
    """Make a demo podcast, listen to it, and take the picture."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page(viewport=SIZE, bypass_csp=True)
        await page.goto(url)
        await page.click("text=Make a demo podcast")
        await page.wait_for_function(f"{PLAYER}.audio.currentTime > {HEARD_SECONDS}", timeout=120_000)
        await page.wait_for_function(f"{PLAYER}.shadowRoot.querySelector('.word.active') !== null")
        await page.screenshot(path=PICTURE)
        await browser.close()


def main() -> None:
    """Run a server for the picture."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is not installed: apt-get install chromium")
    settings = {"ASF_HOST": "127.0.0.1", "ASF_PORT": "0", "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "shared_audio").mkdir()
        command = [sys.executable, "-m", "asf", "serve"]
        with subprocess.Popen(  # noqa: S603 - the server of this project
            command, cwd=folder, env=os.environ | settings, stderr=subprocess.PIPE, text=True
        ) as server:
            try:
                assert server.stderr is not None  # noqa: S101 - as asked for
                url = next(found[1] for line in server.stderr if (found := re.search(r"(http://[0-9.:]+)", line)))
                asyncio.run(take(url, chromium))
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
