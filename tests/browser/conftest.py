"""The browser, and the packages that its pages load. Tests are skipped if a prerequisite is missing."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

import asf
from tests.browser.audio import AudioFiles, ToneClips
from tests.browser.chromium import Chromium
from tests.browser.engines import ENGINES, Engine, PageError, only_one, running
from tests.browser.hearing import HearingPage
from tests.browser.operator_page import in_production
from tests.browser.page_server import serving
from tests.browser.pages import Pages
from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import ServerProcess

HERE = Path(__file__).parent
CLIENT_DIST = HERE / "node_modules" / "socket.io-client" / "dist"
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to `make soak` and `make browsers` what WebKitGTK plays.

    After some of its seeks its player is dead, and on a busy machine its sound comes too late.
    """
    for item in items:
        parameters = getattr(item, "callspec", None)
        if parameters is not None and parameters.params.get("engine") == "webkit":
            item.add_marker(pytest.mark.soak)


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return a server in production, with streams, one of which has a name like HTML."""
    with in_production(tmp_path_factory.mktemp("production")) as server:
        yield server


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


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Return a running browser of each engine."""
    with running(request.param) as engine:
        yield engine


@pytest.fixture
def page(engine: Engine, page_server: str) -> Iterator[HearingPage]:
    """Return a page in that browser, of which a test hears what it plays."""
    with only_one(engine.name):
        yield HearingPage(engine, page_server)
        with suppress(PageError):  # The test has failed if the browser has.
            engine.open("about:blank")


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> ToneClips:
    """Return tone-coded clips in all formats."""
    return ToneClips(tmp_path_factory.mktemp("tones"))


@pytest.fixture(scope="session")
def built_client() -> None:
    """Require the built browser client."""
    if not (Path(asf.__file__).parent / "console" / "static" / "asf-client" / "asf-player.js").is_file():
        missing("the browser client", "install Node.js with npm, then run make client")


@pytest.fixture(scope="session")
def axe() -> Path:
    """Return axe-core, which checks accessibility."""
    if not AXE.is_file():
        missing("axe-core", "install Node.js with npm, then run make setup")
    return AXE


async def until(page: Page, expression: str) -> None:
    """Wait until an expression is true on the page. Playwright's own way is against the policy of some pages."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await page.evaluate(expression):  # noqa: ASYNC110 - the page has no such event
            await asyncio.sleep(0.05)


async def violations(page: Page, axe: Path, part: str = "html") -> list[Any]:
    """Return the violations that axe-core finds on the page, or in the part of it that a selector names."""
    # A script tag is against the policy of some pages.
    await page.evaluate(axe.read_text())  # noqa: ASYNC240 - a small file
    found = await page.evaluate("part => axe.run(part, { resultTypes: ['violations'] })", part)
    assert found["passes"]
    return [(violation["id"], [node["html"] for node in violation["nodes"]]) for violation in found["violations"]]


@pytest.fixture(scope="session")
def audio_files(tmp_path_factory: pytest.TempPathFactory) -> AudioFiles:
    """Return the demo clip in other formats."""
    return AudioFiles(tmp_path_factory.mktemp("formats"))


@pytest.fixture
def pages(chromium: Chromium, page_server: str) -> Pages:
    """Return an opener of pages with the client."""
    return Pages(chromium, page_server)


@asynccontextmanager
async def open_page(chromium: Chromium, url: str) -> AsyncIterator[Page]:
    """Open a page. Errors on it fail the test."""
    async with chromium.open(url) as (page, _):
        yield page


@pytest.fixture(scope="session")
def page_server(npm_packages: Path) -> Iterator[str]:
    """Serve this folder, pages and packages, from its own process; return the URL."""
    assert npm_packages.is_relative_to(HERE)
    with serving(HERE) as url:
        yield url
