"""Pages with the browser client."""

import hashlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from playwright.async_api import Page
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from tests.browser.chromium import Chromium
from tests.support.processes import ServerProcess


class Pages:
    """Opens tests/browser/client.html."""

    def __init__(self, chromium: Chromium, page_server: str) -> None:
        self._chromium = chromium
        self._page_server = page_server

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Run a scenario."""
        self._chromium.run(scenario)

    @asynccontextmanager
    async def open(self, server: ServerProcess, **query: str) -> AsyncIterator[Page]:
        """Open the page with that query. Errors on it fail the test, and a wait in vain says what the page shows."""
        url = f"{self._page_server}/client.html?{urlencode({'server': server.url, **query})}"
        async with self._chromium.open(url) as (page, _):
            await page.wait_for_function("window.ready")
            try:
                yield page
            except PlaywrightTimeoutError as error:
                error.add_note(f"The page: {await page.evaluate('told()')}")
                raise


async def assert_received(page: Page, audio: bytes) -> None:
    """Check that all bytes of the audio were received, each once."""
    await page.wait_for_function("seen.controls.some(([event]) => event === 'end_of_stream')")
    assert await page.evaluate("sha256()") == hashlib.sha256(audio).hexdigest()
