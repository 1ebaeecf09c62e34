"""How the page for operators looks: names, narrow windows, and the keyboard."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
import requests
from playwright.async_api import Route

from tests.browser.chromium import Chromium
from tests.browser.conftest import until, violations
from tests.browser.operator_page import (
    HOSTILE,
    NARROW,
    WIDE,
    Scheme,
    announce,
    listening,
    open_page,
    sign_in,
    texts,
)
from tests.integration.test_operations import HttpListener
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import audio_of
from tests.support.processes import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

TURNED = "שיר \u202e3pm"
LONGEST = "x" * 255

SET_HIDDEN = """value => {
    Object.defineProperty(document, "hidden", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_names_like_html_are_text(production: ServerProcess, chromium: Chromium) -> None:
    """In tables, in questions, and in what is said afterwards."""
    with listening(production, HOSTILE):

        async def scenario() -> None:
            async with open_page(chromium, production) as page:
                await sign_in(page)
                await page.wait_for_selector("#streams button >> nth=0")
                await page.click("#streams tr:has-text('onerror') button:text-is('Delete')")
                assert HOSTILE in await page.inner_text("#confirm-text")
                await page.click("#confirm-no")
                await page.click("#streams tr:has-text('onerror') button.link")
                await until(page, "document.querySelectorAll('#sessions tr').length === 1")
                assert HOSTILE in (await texts(page, "#sessions"))[0]
                assert await page.evaluate("document.querySelectorAll('main img, main b, dialog img').length") == 0
                assert await page.title() == "ASF for operators"

        chromium.run(scenario())


def test_names_cannot_pretend_to_be_others(production: ServerProcess, chromium: Chromium) -> None:
    """What would turn the text round is shown as its code; such a stream is still found."""
    announce(production, TURNED, audio_of(8_000_000), "turned.mp3")
    with listening(production, TURNED):

        async def scenario() -> None:
            async with open_page(chromium, production) as page:
                await sign_in(page)
                await page.click("#streams button.link:text-is('שיר \\\\u{202e}3pm')")
                await until(page, "document.querySelectorAll('#sessions tr').length === 1")
                assert await page.input_value("#filter-stream_id") == TURNED
                assert "|שיר \\u{202e}3pm|" in (await texts(page, "#sessions"))[0]
                await page.fill("#filter-stream_id", "song")
                await page.keyboard.press("Enter")
                await page.wait_for_selector("#sessions-empty:has-text('exactly')")

        chromium.run(scenario())


@pytest.mark.parametrize("width", [NARROW, 800, WIDE])
def test_who_is_to_be_stopped_is_in_sight(width: int, production: ServerProcess, chromium: Chromium) -> None:
    """Without scrolling sideways, also beside a name as long as names can be, and no button is broken over lines."""
    announce(production, LONGEST, audio_of(8_000_000), "longest.mp3")
    with listening(production, LONGEST):

        async def scenario() -> None:
            async with open_page(chromium, production, width) as page:
                await sign_in(page)
                stop = page.locator("#sessions tr", has_text=LONGEST).get_by_role("button")
                await stop.scroll_into_view_if_needed()
                box = await stop.bounding_box()
                assert box is not None
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= width
                assert box["height"] < 40
                assert await page.eval_on_selector("#sessions-table", "one => one.scrollLeft") == 0

        chromium.run(scenario())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_the_page_is_accessible(
    width: int, scheme: Scheme, production: ServerProcess, chromium: Chromium, axe: Path
) -> None:
    """Signed out, signed in, and while it asks: no violations, no horizontal scrolling of the page."""
    requests.get(production.stream_url("nowhere"), timeout=PATIENCE_SECONDS)
    with closing(HttpListener(production, "long")):

        async def scenario() -> None:
            async with open_page(chromium, production, width, scheme) as page:
                await page.wait_for_selector("#sign-in:visible")
                assert await violations(page, axe) == []
                await page.fill("#token", "wrong")
                await page.keyboard.press("Enter")
                await page.wait_for_selector("#sign-in-problem:visible")
                assert await violations(page, axe) == []
                await sign_in(page)
                await page.wait_for_selector("#sessions button")
                assert await violations(page, axe) == []
                assert await page.evaluate("document.documentElement.scrollWidth") == width
                await page.click("#sessions button >> nth=0")
                await page.wait_for_selector("#confirm:visible")
                assert await violations(page, axe) == []
                assert await page.evaluate("document.documentElement.scrollWidth") == width

        chromium.run(scenario())


def test_the_keyboard_is_enough(production: ServerProcess, chromium: Chromium) -> None:
    """The focus stays where it is while the tables are updated, and returns to the button after a question."""
    with listening(production, "long"):

        async def scenario() -> None:
            async with open_page(chromium, production) as page:
                await sign_in(page)
                await page.focus("#streams button:text-is('long')")
                await page.keyboard.press("Enter")
                await until(page, "document.activeElement.id === 'sessions-title'")
                await until(page, "document.querySelectorAll('#sessions tr').length === 1")
                focused = await page.query_selector("#sessions button")
                assert focused is not None
                await focused.focus()
                (before,) = await texts(page, "#sessions")
                while await texts(page, "#sessions") == [before]:  # noqa: ASYNC110 - how long it has listened is updated
                    await asyncio.sleep(0.05)
                assert await focused.evaluate("one => one === document.activeElement")
                await page.keyboard.press("Enter")
                await page.wait_for_selector("#confirm:visible")
                assert await page.evaluate("document.activeElement.id") == "confirm-no"
                await page.keyboard.press("Escape")
                await page.wait_for_selector("#confirm", state="hidden")
                assert await focused.evaluate("one => one === document.activeElement")

        chromium.run(scenario())


def test_the_keyboard_turns_pages(production: ServerProcess, chromium: Chromium) -> None:
    """When a button that turned them is gone, the focus is on the heading of the list, not at the top of the page."""
    with listening(production, "long"):

        async def one_by_one(route: Route) -> None:
            response = await route.fetch(url=route.request.url.partition("?")[0])
            body = await response.json()
            following = None if "cursor=" in route.request.url else "9"
            one = {**body["sessions"][0], "id": "a.9" if following is None else "a.1"}
            await route.fulfill(response=response, json={**body, "sessions": [one], "next_cursor": following})

        async def scenario() -> None:
            async with open_page(chromium, production) as page:
                await sign_in(page)
                await page.route("**/internal/sessions*", one_by_one)
                await page.wait_for_selector("#sessions-next:visible")
                for button, shown in (("next", "a.9"), ("first", "a.1")):
                    await page.focus(f"#sessions-{button}")
                    await page.keyboard.press("Enter")
                    await page.wait_for_selector(f"#sessions code:text-is('{shown}')")
                    assert await page.evaluate("document.activeElement.id") == "sessions-title"

        chromium.run(scenario())


def test_a_page_that_is_left_open_neither_grows_nor_hammers(production: ServerProcess, chromium: Chromium) -> None:
    """After many updates it has no more elements than before; it asks once in 5 s, by the browser's virtual clock.

    Hidden, it asks for nothing; shown again, it asks at once.
    """
    with listening(production, "long"):

        async def scenario() -> None:
            async with open_page(chromium, production) as page:
                await sign_in(page)
                await page.clock.install()
                await page.reload()
                await page.wait_for_selector("#sessions button")
                asked: list[str] = []
                page.on("request", lambda request: asked.append(request.url))
                elements = await page.evaluate("document.querySelectorAll('*').length")
                for _ in range(20):
                    already = len(asked)
                    await page.clock.run_for(5_000)
                    while len(asked) < already + 3:  # noqa: ASYNC110 - the page has no such event
                        await asyncio.sleep(0.02)
                    await page.wait_for_load_state("networkidle")
                    assert len(asked) == already + 3
                assert await page.evaluate("document.querySelectorAll('*').length") <= elements
                await page.evaluate(SET_HIDDEN, True)  # noqa: FBT003
                already = len(asked)
                await page.clock.run_for(3_600_000)
                assert len(asked) == already
                assert await page.inner_text("#live-text") == "Paused"
                await page.evaluate(SET_HIDDEN, False)  # noqa: FBT003
                await page.wait_for_selector("#live[data-state=live]")
                assert len(asked) == already + 3

        chromium.run(scenario())
