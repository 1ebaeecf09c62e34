"""A browser, and the packages that its pages load. What cannot be had here is skipped, and said."""

import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

import asf
from tests.browser.audio import AudioFiles
from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS, START_SECONDS

HERE = Path(__file__).parent
CLIENT_DIST = HERE / "node_modules" / "socket.io-client" / "dist"

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def npm_packages() -> Path:
    """Return the folder of the installed npm packages."""
    if shutil.which("node") is None or not CLIENT_DIST.is_dir():
        missing("node or socket.io-client", "install Node.js with npm, then run make setup")
    return CLIENT_DIST


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of Debian's Chromium."""
    executable = shutil.which("chromium")
    if executable is None:
        missing("Chromium", "apt-get install chromium")
    return str(executable)


@pytest.fixture(scope="session")
def built_client() -> None:
    """Make sure that the server has the browser client to serve."""
    if not (Path(asf.__file__).parent / "console" / "static" / "asf-client" / "index.js").is_file():
        missing("the browser client", "install Node.js with npm, then run make client")


@pytest.fixture(scope="session")
def audio_files(tmp_path_factory: pytest.TempPathFactory) -> AudioFiles:
    """Return the demo clip in other formats."""
    return AudioFiles(tmp_path_factory.mktemp("formats"))


def be_patient(page: Page) -> None:
    """Let whatever is waited for on the page come as late as a busy machine makes it."""
    page.set_default_timeout(1000 * PATIENCE_SECONDS)


@asynccontextmanager
async def open_page(chromium: str, url: str) -> AsyncIterator[Page]:
    """Open a page in a browser of its own, without a window. What goes wrong on the page fails the test.

    Playwright's asynchronous interface it is, as its synchronous one runs greenlets, and so does eventlet.
    """
    problems: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=CHROMIUM_FLAGS, timeout=1000 * START_SECONDS
        )
        page = await browser.new_page()
        be_patient(page)
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(url)
        yield page
        await browser.close()
    assert problems == []


@pytest.fixture(scope="session")
def page_server(npm_packages: Path) -> Iterator[str]:
    """Serve this folder, pages and packages, from a process of its own; return the address."""
    assert npm_packages.is_relative_to(HERE)
    command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(HERE), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        announcement = re.search(r"port (\d+)", process.stdout.readline())
        assert announcement is not None
        yield f"http://127.0.0.1:{announcement[1]}"
        process.terminate()
