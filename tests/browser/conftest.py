"""The browser, and the packages that its pages load. Tests are skipped if a prerequisite is missing."""

import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page

import asf
from tests.browser.audio import AudioFiles
from tests.browser.chromium import Chromium
from tests.browser.prerequisites import missing

HERE = Path(__file__).parent
CLIENT_DIST = HERE / "node_modules" / "socket.io-client" / "dist"


@pytest.fixture(scope="session")
def npm_packages() -> Path:
    """Return the folder of the installed npm packages."""
    if shutil.which("node") is None or not CLIENT_DIST.is_dir():
        missing("node or socket.io-client", "install Node.js with npm, then run make setup")
    return CLIENT_DIST


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """Return Debian's Chromium."""
    executable = shutil.which("chromium")
    if executable is None:
        missing("Chromium", "apt-get install chromium")
    browser = Chromium(str(executable))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def built_client() -> None:
    """Require the built browser client."""
    if not (Path(asf.__file__).parent / "console" / "static" / "asf-client" / "index.js").is_file():
        missing("the browser client", "install Node.js with npm, then run make client")


@pytest.fixture(scope="session")
def audio_files(tmp_path_factory: pytest.TempPathFactory) -> AudioFiles:
    """Return the demo clip in other formats."""
    return AudioFiles(tmp_path_factory.mktemp("formats"))


@asynccontextmanager
async def open_page(chromium: Chromium, url: str) -> AsyncIterator[Page]:
    """Open a page. Errors on it fail the test."""
    async with chromium.open(url) as (page, _):
        yield page


@pytest.fixture(scope="session")
def page_server(npm_packages: Path) -> Iterator[str]:
    """Serve this folder, pages and packages, from its own process; return the URL."""
    assert npm_packages.is_relative_to(HERE)
    command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(HERE), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        announcement = re.search(r"port (\d+)", process.stdout.readline())
        assert announcement is not None
        yield f"http://127.0.0.1:{announcement[1]}"
        process.terminate()
