"""The reference of both APIs, used as by a person who tries it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
import requests
from playwright.async_api import Page

from tests.browser.chromium import Chromium
from tests.browser.conftest import until, violations
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.path_proxy import below_a_path
from tests.support.processes import ServerProcess
from tests.support.secret_values import API_TOKEN

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

NARROW, WIDE = 360, 1280

LOCKED = {"ASF_INTERNAL_API_TOKEN": API_TOKEN, "ASF_INTERNAL_TRUSTED_NETWORKS": "none"}
"""Settings with which the internal API takes the token only."""

LIST_STREAMS = "#operations-streams-listStreams"

IN_VIEW = """(() => {{
    const {{ top }} = document.getElementById("{}").getBoundingClientRect();
    return top > -50 && top < innerHeight;
}})()"""

Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return a server in debug mode whose internal API takes its token only."""
    server = ServerProcess(tmp_path_factory.mktemp("locked"), LOCKED)
    yield server
    assert server.stop() == 0, "".join(server.log)


@asynccontextmanager
async def open_reference(
    chromium: Chromium, url: str, anchor: str = "", width: int = WIDE, scheme: Scheme = "light"
) -> AsyncIterator[Page]:
    """Open the reference of the server at `url`.

    An error in the browser's console fails the test, except for those about responses, and so does a request to
    another host.
    """
    context = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    async with chromium.open("about:blank", **context) as (page, problems):

        def note(kind: str, text: str) -> None:
            if kind == "error" and "Failed to load resource" not in text:
                problems.append(text)

        def ask(asked: str) -> None:
            if urlsplit(asked).scheme != "data" and not asked.startswith(f"{url}/"):
                problems.append(f"{asked} was requested")

        page.on("console", lambda message: note(message.type, message.text))
        page.on("request", lambda request: ask(request.url))
        await page.goto(f"{url}/console/reference.html{anchor}")
        await page.wait_for_selector(".opblock")
        yield page


async def execute(page: Page) -> tuple[str, str]:
    """List the streams with the form of the page; return the status and the body that it shows."""
    if not await page.is_visible(f"{LIST_STREAMS} .execute"):
        await page.click(f"{LIST_STREAMS} .opblock-summary-control")
        await page.click(f"{LIST_STREAMS} .try-out__btn")
    async with page.expect_response("**/asf/internal/streams?*") as response:
        await page.click(f"{LIST_STREAMS} .execute")
    status = str((await response.value).status)
    shown = f"{LIST_STREAMS} .live-responses-table tr.response:has(.response-col_status:text('{status}'))"
    return status, await page.inner_text(f"{shown} .response-col_description")


async def authorize(page: Page, token: str) -> None:
    """Enter the token of the internal API."""
    await page.click(".authorization .authorize")
    internal = page.locator(".auth-container", has_text="internalToken")
    await internal.locator("input").fill(token)
    await internal.locator("button.authorize").click()
    await page.click(".close-modal")


@pytest.mark.parametrize(("width", "scheme"), [(NARROW, "dark"), (WIDE, "light")])
def test_it_is_complete_and_accessible(
    width: int, scheme: Scheme, locked: ServerProcess, chromium: Chromium, axe: Path
) -> None:
    """It has every operation and every message, also while an operation is tried and a token is entered."""
    openapi = requests.get(f"{locked.url}/asf/openapi.json", timeout=PATIENCE_SECONDS).json()
    asyncapi = requests.get(f"{locked.url}/asf/asyncapi.json", timeout=PATIENCE_SECONDS).json()
    operations = {
        f"operations-{operation['tags'][0]}-{operation['operationId']}"
        for paths in (openapi["paths"], openapi["webhooks"])
        for path in paths.values()
        for operation in path.values()
    }

    async def scenario() -> None:
        async with open_reference(chromium, locked.url, width=width, scheme=scheme) as page:
            ids = set(await page.eval_on_selector_all("[id]", "all => all.map(one => one.id)"))
            assert {*operations, *asyncapi["operations"]} <= ids
            await page.click("[id='audio.join_stream'] summary")
            await page.wait_for_selector("[id='audio.join_stream'] pre")
            await execute(page)
            assert await violations(page, axe) == []
            assert await page.evaluate("document.documentElement.scrollWidth") == width
            await page.click(".authorization .authorize")
            await page.wait_for_selector(".auth-container input >> nth=0")
            assert await violations(page, axe, ".dialog-ux") == []

    chromium.run(scenario())


def test_an_anchor_leads_to_an_operation_and_to_a_message(locked: ServerProcess, chromium: Chromium) -> None:
    """The operation is open; the address changes with what is opened."""

    async def scenario() -> None:
        async with open_reference(chromium, locked.url, "#/ui-updates/sendUiUpdate") as page:
            operation = "operations-ui-updates-sendUiUpdate"
            await page.wait_for_selector(f"#{operation} .try-out__btn")
            await until(page, IN_VIEW.format(operation))
            await page.click(f"{LIST_STREAMS} .opblock-summary-control")
            await until(page, "location.hash === '#/streams/listStreams'")
        async with open_reference(chromium, locked.url, "#websocket.ack") as page:
            await until(page, IN_VIEW.format("websocket.ack"))
            example = "document.getElementById('websocket.ack').querySelector('pre').textContent"
            assert '"received": 131072' in await page.evaluate(example)
            await page.click("[id='audio.join_stream'] summary")
            await until(page, "location.hash === '#audio.join_stream'")
            await page.evaluate("location.hash = 'ui_updates.event_name'")
            await until(page, IN_VIEW.format("ui_updates.event_name"))

    chromium.run(scenario())


def test_an_operation_is_tried_without_and_with_the_token(locked: ServerProcess, chromium: Chromium) -> None:
    """The token is kept in memory: it is in no storage, and gone when the page is loaded again."""

    async def scenario() -> None:
        async with open_reference(chromium, locked.url) as page:
            status, body = await execute(page)
            assert status == "401"
            assert "ASF_UNAUTHORIZED" in body
            await authorize(page, API_TOKEN)
            status, body = await execute(page)
            assert status == "200"
            assert '"streams": []' in body
            stored = "Promise.resolve([document.cookie, localStorage.length, sessionStorage.length])"
            assert await page.evaluate(stored) == ["", 0, 0]
            assert await page.evaluate("indexedDB.databases()") == []
            assert not await page.context.cookies()
            await page.goto(page.url.partition("#")[0])
            await page.wait_for_selector(".opblock")
            assert (await execute(page))[0] == "401"

    chromium.run(scenario())


def test_it_works_below_a_path(locked: ServerProcess, chromium: Chromium) -> None:
    """Its files, its documents, and what is tried, are asked for below the path, too."""
    with below_a_path(locked.port) as url:

        async def scenario() -> None:
            async with open_reference(chromium, url) as page:
                await authorize(page, API_TOKEN)
                assert (await execute(page))[0] == "200"
                await page.wait_for_selector("[id='audio.join_stream']")

        chromium.run(scenario())


def test_its_policy_makes_no_exceptions(locked: ServerProcess) -> None:
    """No inline scripts or styles, nothing from elsewhere; and neither the page nor its files load any."""
    response = requests.get(f"{locked.url}/console/reference.html", timeout=PATIENCE_SECONDS)
    policy = response.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'self'", "script-src 'self'", "base-uri 'none'"} <= {*policy}
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert "style=" not in response.text
    assert "http:" not in response.text.replace("http://www.w3.org/2000/svg", "")


def test_without_swagger_ui_it_says_what_to_run(locked: ServerProcess, chromium: Chromium) -> None:
    """And shows the messages nevertheless."""

    async def scenario() -> None:
        async with chromium.open("about:blank") as (page, _problems):
            await page.route("**/swagger-ui-bundle.js", lambda route: route.fulfill(status=404))
            await page.goto(f"{locked.url}/console/reference.html")
            await page.wait_for_selector("#notice:has-text('make client')")
            assert await page.is_visible("[id='audio.join_stream']")

    chromium.run(scenario())
