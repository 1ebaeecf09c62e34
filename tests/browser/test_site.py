"""The site of the documents, opened from a disk: it is searched, draws its diagrams, and loads nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.browser.chromium import Chromium
from tests.browser.prerequisites import missing
from tests.support.made_once import made_once
from tests.support.site import MERMAID, build_whole_site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site."""
    return made_once(tmp_path_factory, "site", build_whole_site) / "site"


@asynccontextmanager
async def opened(chromium: Chromium, file: Path, query: str = "") -> AsyncIterator[Page]:
    """Open a page of the site. It must not ask for anything that is not a file."""
    foreign: list[str] = []
    async with chromium.open("about:blank") as (page, _):
        page.on("request", lambda request: foreign.append(request.url) if request.url[:5] != "file:" else None)
        await page.goto(file.as_uri() + query)
        yield page
    assert [url for url in foreign if not url.startswith("data:")] == []


def test_the_search_finds_a_setting(site: Path, chromium: Chromium) -> None:
    """From the field of the first page to the page that explains it."""

    async def scenario() -> None:
        async with opened(chromium, site / "index.html") as page:
            await page.fill("input[name=q]", "ASF_DRAIN_SECONDS")
            await page.press("input[name=q]", "Enter")
            await page.click("#search-results a[href*='docs/reference.html']")
            await page.wait_for_function("document.querySelector('h1').textContent.startsWith('Reference')")

    chromium.run(scenario())


@pytest.mark.parametrize("name", ["architecture", "session"])
def test_diagrams_are_drawn(site: Path, chromium: Chromium, name: str) -> None:
    """By the site's own script."""
    if not MERMAID.is_file():
        missing("the npm package of tools/site", "install Node.js with npm, then run make setup")

    async def scenario() -> None:
        async with opened(chromium, site / "docs" / f"{name}.html") as page:
            await page.wait_for_selector("pre.mermaid svg")

    chromium.run(scenario())
