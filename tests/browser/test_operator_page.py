"""The page for operators, used as by a person who sees it for the first time."""

import asyncio
import os
import signal
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests
from playwright.async_api import Route

from tests.browser.chromium import Chromium
from tests.browser.conftest import until
from tests.browser.operator_page import (
    HEADERS,
    HOSTILE,
    PRODUCTION,
    announce,
    in_production,
    listening,
    open_page,
    sign_in,
    texts,
)
from tests.integration.test_operations import HttpListener, subscribe
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer, audio_of
from tests.support.nodes import Nodes
from tests.support.processes import ServerProcess, eventually
from tests.support.secret_values import API_TOKEN, SECRET_KEY

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

NODES_SAID = """(() => {{
    const rows = [...document.querySelectorAll("#nodes tr")];
    const count = (text) => rows.filter(({{ cells }}) => cells[1].textContent.startsWith(text)).length;
    return count("ready") === {ready} && count("not answering") === {silent};
}})()"""
"""Whether so many nodes are said to be ready, and so many to be silent."""


def test_a_stranger_gets_a_page_without_secrets(production: ServerProcess) -> None:
    """Its policy lets it run and reach nothing else, and nobody may frame it."""
    for path, kind in (("", "text/html"), ("/operator.css", "text/css"), ("/operator.js", "text/javascript")):
        response = requests.get(f"{production.url}/asf/operator{path}", timeout=PATIENCE_SECONDS)
        assert (response.status_code, response.headers["Content-Type"].split(";")[0]) == (200, kind)
        policy = response.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} <= {
            *policy
        }
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in response.headers
        assert API_TOKEN not in response.text
        assert SECRET_KEY not in response.text
    assert "<script>" not in requests.get(f"{production.url}/asf/operator", timeout=PATIENCE_SECONDS).text
    for path in ("/operator/x.js", "/operator/../console/console.js", "/operator/"):
        assert requests.get(f"{production.url}/asf{path}", timeout=PATIENCE_SECONDS).status_code == 404


def test_a_setting_turns_the_page_off(start_server: StartServer) -> None:
    """The routes that it uses stay."""
    server = start_server({"ASF_SERVE_OPERATOR_PAGE": "False"})
    assert requests.get(f"{server.url}/asf/operator", timeout=PATIENCE_SECONDS).status_code == 404
    assert requests.get(f"{server.url}/asf/internal/nodes", timeout=PATIENCE_SECONDS).status_code == 200


def test_signing_in_and_out(production: ServerProcess, chromium: Chromium) -> None:
    """A wrong token is said to be wrong; a right one lasts for a reload, in no cookie, until one signs out."""

    async def scenario() -> None:
        async with open_page(chromium, production) as page:
            await page.wait_for_selector("#sign-in:visible")
            assert await page.is_hidden("#content")
            assert await page.is_hidden("#sign-in-problem")
            assert await page.evaluate("document.activeElement.id") == "token"
            assert "ASF_INTERNAL_TRUSTED_NETWORKS" in await page.inner_text("#sign-in-reason")
            for wrong in ("пароль", "wrong", "two words", "x" * 5000):
                await page.fill("#token", wrong)
                await page.keyboard.press("Enter")
                await page.wait_for_selector("#sign-in-problem:has-text('This token is wrong')")
                assert await page.is_hidden("#alert")
            assert await page.get_attribute("#token", "aria-invalid") == "true"
            assert await page.evaluate("Object.keys(sessionStorage).length") == 0
            await sign_in(page)
            assert await page.is_hidden("#sign-in")
            await page.reload()
            await page.wait_for_selector("#live[data-state=live]")
            assert await page.evaluate("[document.cookie, localStorage.length]") == ["", 0]
            assert not await page.context.cookies()
            assert API_TOKEN not in await page.content()
            await page.click("#sign-out")
            await page.wait_for_selector("#sign-in:visible")
            assert await page.evaluate("sessionStorage.length") == 0
            await page.reload()
            await page.wait_for_selector("#sign-in:visible")

    chromium.run(scenario())


def test_a_token_that_was_changed_is_asked_for_again(production: ServerProcess, chromium: Chromium) -> None:
    """The page says what has happened, and shows nothing that it has shown before."""
    rejection = {
        "error_code": "ASF_UNAUTHORIZED",
        "message": "A valid token is required.",
        "details": "It is not valid.",
    }

    async def scenario() -> None:
        async with open_page(chromium, production) as page:
            await sign_in(page)
            await page.route("**/internal/**", lambda route: route.fulfill(status=401, json=rejection))
            await page.wait_for_selector("#sign-in-problem:has-text('does not accept this token any more')")
            assert await page.inner_text("#sign-in-reason") == "The server's reason: It is not valid."
            assert await page.is_hidden("#content")
            await page.unroute("**/internal/**")
            await sign_in(page)

    chromium.run(scenario())


def test_who_hears_a_stream_from_where_and_one_is_stopped(production: ServerProcess, chromium: Chromium) -> None:
    """A click on the stream lists them; a button, and a confirmation, disconnects one. The others stay."""
    with ExitStack() as stack:
        stack.enter_context(closing(HttpListener(production, "long")))
        wire = stack.enter_context(listening(production, "long"))
        stack.enter_context(listening(production, HOSTILE))

        async def scenario() -> None:
            async with open_page(chromium, production) as page:
                await sign_in(page)
                await page.click("#streams button:text-is('long')")
                await until(page, "document.querySelectorAll('#sessions tr').length === 2")
                assert await page.input_value("#filter-stream_id") == "long"
                rows = await texts(page, "#sessions")
                assert all("|127.0.0.1" in row for row in rows)
                assert any("claims 203.0.113.9" in row and "|http|" in row for row in rows)
                target = "#sessions tr:has-text('socketio-websocket') button"
                await page.click(target)
                assert "socketio" not in await page.inner_text("#confirm-title")
                assert "ASF_DISCONNECTED" in await page.inner_text("#confirm-text")
                await page.click("#confirm-no")
                assert len(await texts(page, "#sessions")) == 2
                await page.click(target)
                await page.click("#confirm-yes")
                await page.wait_for_selector("#done:has-text('Disconnected')")
                await until(page, "document.querySelectorAll('#sessions tr').length === 1")
                await until(page, "document.activeElement.id === 'sessions-title'")
                top = await page.eval_on_selector("#done", "one => one.getBoundingClientRect().top")
                assert top >= 0, "What came of it is out of sight"
                await page.click("#sessions button")
                assert "may request the audio again" in await page.inner_text("#confirm-text")

        chromium.run(scenario())
        eventually(lambda: [name for name, _ in wire.events if name == "stream_error"])
        assert wire.receive_until("stream_error")["error_code"] == "ASF_DISCONNECTED"


def test_why_joins_are_rejected(production: ServerProcess, chromium: Chromium) -> None:
    """By code, with the meaning, and how many since the page was opened."""

    async def scenario() -> None:
        async with open_page(chromium, production) as page:
            await sign_in(page)
            for _ in range(2):
                await asyncio.to_thread(requests.get, production.stream_url("nowhere"), timeout=PATIENCE_SECONDS)
            await page.wait_for_selector("#rejections tr:has-text('ASF_STREAM_NOT_FOUND'):has-text('+2')")
            assert any("Nobody has announced the stream" in row for row in await texts(page, "#rejections"))

    chromium.run(scenario())


def test_rejections_of_a_node_that_started_later_are_recent(production: ServerProcess, chromium: Chromium) -> None:
    """All of them have happened since the page was opened."""

    async def scenario() -> None:
        async with open_page(chromium, production) as page:
            await sign_in(page)

            async def with_another(route: Route) -> None:
                response = await route.fetch()
                body = await response.json()
                later = {"node": "later", "uptime_seconds": 0, "joins_rejected": {"ASF_RATE_LIMITED": 3}}
                body["nodes"].append({**body["nodes"][0], **later})
                await route.fulfill(response=response, json=body)

            await page.route("**/internal/nodes", with_another)
            await page.wait_for_selector("#rejections tr:has-text('ASF_RATE_LIMITED'):has-text('+3')")

    chromium.run(scenario())


def test_subscribers_are_found_and_updates_sent(production: ServerProcess, chromium: Chromium) -> None:
    """By client. What is no JSON is not sent."""
    stack = ExitStack()
    with stack:
        listener = stack.enter_context(closing(subscribe(production, "alice", API_TOKEN)))

        async def scenario() -> None:
            async with open_page(chromium, production) as page:
                await sign_in(page)
                await page.select_option("#filter-kind", "subscriber")
                await page.fill("#filter-client_id", "alice")
                await page.click("#filter button[type=submit]")
                await until(page, "document.querySelectorAll('#sessions tr').length === 1")
                assert "|subscriber|alice|127.0.0.1|" in (await texts(page, "#sessions"))[0]
                await page.fill("#update-client", "alice")
                await page.fill("#update-event", "note")
                await page.fill("#update-data", "{wrong")
                await page.click("#update button")
                await page.wait_for_selector("#done:has-text('must be JSON')")
                await page.fill("#update-data", '{"text": "hello"}')
                await page.click("#update button")
                await page.click("#confirm-yes")
                await page.wait_for_selector("#done:has-text('Sent to 1 subscriber')")

        chromium.run(scenario())
        assert listener.websocket is not None
        while '"note"' not in (text := str(listener.websocket.recv())):
            pass
        assert '{"text":"hello"}' in text


def test_a_stream_is_deleted(production: ServerProcess, chromium: Chromium) -> None:
    """After a confirmation."""
    announce(production, "old/one", audio_of(8_000_000), "old.mp3")
    with listening(production, "old/one"):

        async def scenario() -> None:
            async with open_page(chromium, production) as page:
                await sign_in(page)
                await page.click("#streams tr:has-text('old/one') button:text-is('Delete')")
                await page.click("#confirm-yes")
                await page.wait_for_selector("#done:has-text('Deleted old/one.')")

        chromium.run(scenario())
    url = f"{production.url}/asf/internal/streams/old/one"
    assert requests.get(url, headers=HEADERS, timeout=PATIENCE_SECONDS).status_code == 404


def test_a_server_that_is_gone_is_said_to_be(start_server: StartServer, chromium: Chromium) -> None:
    """What is shown stays; the page asks more and more rarely."""
    server = start_server(PRODUCTION)

    async def scenario() -> None:
        async with open_page(chromium, server) as page:
            await sign_in(page)
            await asyncio.to_thread(server.stop)
            await page.wait_for_selector("#alert:has-text('cannot be reached'):has-text('What is shown is from')")
            assert await page.get_attribute("#live", "data-state") == "failed"
            assert len(await texts(page, "#nodes")) == 1

    chromium.run(scenario())


def test_which_node_is_slow(tmp_path: Path, chromium: Chromium) -> None:
    """One of three hangs: it is named as not answering, while the others are shown."""
    nodes = Nodes(tmp_path, {"ASF_INTERNAL_TRUSTED_NETWORKS": "127.0.0.0/8"})
    try:
        url = f"{nodes.all[0].url}/asf/internal/nodes"
        eventually(lambda: len(requests.get(url, timeout=PATIENCE_SECONDS).json()["nodes"]) == 3)

        async def scenario() -> None:
            async with open_page(chromium, nodes.all[0]) as page:
                await until(page, "document.querySelectorAll('#nodes tr').length === 3")
                os.kill(nodes.all[2].pid, signal.SIGSTOP)
                try:
                    # Another one may be late once, where the machine is busy.
                    await until(page, NODES_SAID.format(ready=2, silent=1))
                    assert len(await texts(page, "#nodes")) == 3
                finally:
                    os.kill(nodes.all[2].pid, signal.SIGCONT)
                await until(page, "!document.querySelector('#nodes .bad')")

        chromium.run(scenario())
    finally:
        nodes.stop()


def test_workers_share_a_limit(tmp_path: Path, chromium: Chromium) -> None:
    """So it is not shown beside each of them."""

    async def scenario() -> None:
        async with open_page(chromium, server) as page:
            await sign_in(page)
            await until(page, "document.querySelectorAll('#nodes tr').length === 2")
            assert [row.split("|")[4] for row in await texts(page, "#nodes")] == ["0", "0"]
            said = await page.inner_text("#shared-limits")
            assert said == "The workers of a server share its limit: 7 listeners together."

    with in_production(tmp_path, ASF_WORKERS="2", ASF_MAX_LISTENERS="7") as server:
        chromium.run(scenario())
