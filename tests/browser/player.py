"""Pages with the player: a script tag and an element."""

import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from tests.browser.chromium import Chromium
from tests.browser.conftest import until
from tests.support.processes import ServerProcess

PLAYER = "document.querySelector('asf-player')"

AUDIO = f"{PLAYER}.audio"


def player(**attributes: str) -> str:
    """Return the element with these attributes."""
    text = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<asf-player{text}></asf-player>"


def page_of(url: str, body: str, head: str = "") -> str:
    """Return a page that loads the player from the server at `url`."""
    script = f'<script type="module" src="{url}/asf/client/asf-player.js"></script>'
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Podcast</title>{head}'
    return f'<!doctype html><html lang="en"><head>{head}{script}</head><body><main>{body}</main></body></html>'


class PlayerPages:
    """Opens such pages in Chromium, from files."""

    def __init__(self, chromium: Chromium, folder: Path) -> None:
        self._chromium = chromium
        self._folder = folder

    @asynccontextmanager
    async def open(
        self, server: ServerProcess | str, body: str, head: str = "", *, before: str = "", **context: Any
    ) -> AsyncIterator[Page]:
        """Open a page of a server, or of its URL; the script `before` runs first. Errors on it fail the test."""
        file = self._folder / "page.html"
        file.write_text(page_of(server if isinstance(server, str) else server.url, body, head))
        async with self._chromium.open("about:blank", **context) as (page, _):
            if before:
                await page.add_init_script(before)
            await page.goto(file.as_uri())
            yield page


async def state_is(page: Page, *states: str) -> None:
    """Wait until the player is in one of the states."""
    await until(page, f"{list(states)}.includes({PLAYER}.state)")


async def time_is(page: Page, condition: str) -> None:
    """Wait until that holds for the playhead, in seconds: for example "> 1"."""
    await until(page, f"{AUDIO}.currentTime {condition}")
