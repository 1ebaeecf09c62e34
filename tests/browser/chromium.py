"""One headless Chromium for all tests of a process. Each page has its own context and storage.

This uses Playwright's asynchronous API, because its synchronous one runs greenlets, as eventlet does.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page, Playwright, async_playwright

from tests.support.bounds import PATIENCE_SECONDS, SCENARIO_SECONDS, START_SECONDS

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Chromium:
    """The browser at `executable`. It is started with the first page, and restarted after a crash."""

    def __init__(self, executable: str) -> None:
        self._executable = executable
        self._runner = asyncio.Runner()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Run a scenario."""
        self._runner.run(asyncio.wait_for(scenario, SCENARIO_SECONDS))

    @asynccontextmanager
    async def open(self, url: str, **context: Any) -> AsyncIterator[tuple[Page, list[str]]]:
        """Open a page in a context with these options. Errors on it are listed, and fail the test."""
        problems: list[str] = []
        browser = await self._started()
        async with await browser.new_context(**context) as fresh:
            page = await fresh.new_page()
            page.set_default_timeout(1000 * PATIENCE_SECONDS)
            page.on("pageerror", lambda error: problems.append(str(error)))
            await page.goto(url)
            yield page, problems
        assert problems == [], problems

    def close(self) -> None:
        """Close the browser."""
        self._runner.run(self._close())
        self._runner.close()

    async def _started(self) -> Browser:
        if self._playwright is None:
            self._playwright = await async_playwright().start()
        if self._browser is None or not self._browser.is_connected():
            self._browser = await self._playwright.chromium.launch(
                executable_path=self._executable, args=FLAGS, timeout=1000 * START_SECONDS
            )
        return self._browser

    async def _close(self) -> None:
        if self._browser is not None:
            await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()
