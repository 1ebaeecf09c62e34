"""Pages that a browser puts to sleep, or keeps for the way back: they play on where they were."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page

from tests.browser.audio import CLIP, ToneClips
from tests.browser.hearing import HearingPage
from tests.browser.pages import Pages
from tests.browser.test_sessions import codes, hear_out
from tests.support.cutting_proxy import CuttingProxy
from tests.support.fixtures import StartServer
from tests.support.processes import eventually

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

SLOW = {"ASF_STREAM_SLEEP_INTERVAL": "0.2"}
"""So that it falls asleep in mid-stream: a chunk of 4096 bytes takes so long."""


SECONDS = 40


@asynccontextmanager
async def asleep(page: Page) -> AsyncIterator[None]:
    """Suspend the page, with the process that it runs in."""
    browser = page.context.browser
    assert browser is not None
    session = await browser.new_browser_cdp_session()
    processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    renderers = [process["id"] for process in processes if process["type"] == "renderer"]
    assert renderers
    for process in renderers:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in renderers:
            os.kill(process, signal.SIGCONT)


@pytest.mark.parametrize("paused", [False, True], ids=["playing", "paused"])
def test_a_page_that_was_asleep(paused: bool, start_server: StartServer, pages: Pages) -> None:
    """For so long that its connections were cut: its audio is complete, and so are its updates."""
    audio = CLIP.read_bytes()
    server = start_server(SLOW)
    server.announce("clip", audio)

    def is_gone() -> bool:
        return {"asf_listeners 0.0", "asf_socketio_connections 0.0"} <= set(server.metrics().splitlines())

    async def scenario() -> None:
        proxy = CuttingProxy(server.port, iter([]))
        async with pages.open(server, through=proxy.url, stream="clip", client="alice") as page:
            await page.click("#watch")
            await page.click("#play")
            await page.wait_for_function("seen.subscribed === 1 && playback.progress.receivedBytes > 40000")
            if paused:
                await page.evaluate("playback.pause()")
            async with asleep(page):
                proxy.cut()
                await asyncio.to_thread(eventually, is_gone)
                await asyncio.to_thread(server.send_ui_update, "alice", "step", 1)
            await page.wait_for_function("seen.updates.length === 1")
            if paused:
                assert await page.evaluate("playback.state") == "paused"
                await page.evaluate("playback.resume()")
            await hear_out(page, audio)
            assert await page.evaluate("audio.buffered.length") == 1
            assert await page.evaluate("seen.gaps") == 0
            assert await codes(page) == []

    pages.run(scenario())


def test_a_frozen_page_is_no_listener(start_server: StartServer, pages: Pages) -> None:
    """It leaves at once, as it will not answer; thawed, it is there again, with what it has missed."""
    server = start_server({"TEST_PING_SECONDS": "600"}, observed=True)
    path = server.audio_root / "clip.mp3"
    path.write_bytes(CLIP.read_bytes()[:40000])
    server.notify("clip", str(path), state="generating").raise_for_status()

    def has(listeners: int, connections: int) -> bool:
        counts = {f"asf_listeners {listeners}.0", f"asf_socketio_connections {connections}.0"}
        return counts <= set(server.metrics().splitlines())

    async def scenario() -> None:
        async with pages.open(server, stream="clip", client="alice") as page:
            await page.click("#watch")
            await page.click("#play")
            await page.wait_for_function("seen.subscribed === 1 && playback.state === 'playing'")
            await page.evaluate("playback.pause()")
            await asyncio.to_thread(eventually, lambda: has(1, 1))
            # Chromium freezes no page under the driver: the page is told so, and stopped when it has left. It may be
            # about to go over to the WebSocket before that.
            await page.evaluate("void document.dispatchEvent(new Event('freeze'))")
            await asyncio.to_thread(eventually, lambda: has(0, 0))
            async with asleep(page):
                await asyncio.to_thread(server.send_ui_update, "alice", "step", 1)
                with path.open("ab") as file:
                    file.write(CLIP.read_bytes()[40000:])
            await page.evaluate("void document.dispatchEvent(new Event('resume'))")
            await page.wait_for_function("seen.updates.length === 1")
            await asyncio.to_thread(eventually, lambda: has(1, 1))
            assert await page.evaluate("playback.state") == "paused"
            server.notify("clip", str(path)).raise_for_status()
            await page.evaluate("playback.resume()")
            await hear_out(page, CLIP.read_bytes())
            assert await codes(page) == []

    pages.run(scenario())


@pytest.mark.parametrize("suffix", ["mp3", "wav", "m4a"])
def test_an_element_that_was_emptied(
    page: HearingPage, suffix: str, start_server: StartServer, clips: ToneClips
) -> None:
    """As WebKit does to a page that it keeps: is paused where it was, and plays on from there."""
    server = start_server({})
    server.announce("clip", clips.read(suffix, SECONDS), f"clip.{suffix}")
    page.play(server)
    page.hear(3)
    output = page.evaluate("playback.output")
    page.evaluate("audio.load()")
    page.wait_for("playback.state === 'paused'")
    assert page.evaluate("playback.progress.currentTime") > 2
    page.mark("playback.resume()")
    page.hear(4, early=2, late=4)
    page.seek(SECONDS - 4.5)
    page.end(SECONDS)
    # WebKitGTK's player fails ("Failed to push buffer") where it is moved before it has decoded anything: then what
    # is heard comes by the URL.
    outputs = {output, "url"} if page.engine.name == "webkit" else {output}
    assert page.evaluate("playback.output") in outputs


ELSEWHERE = "A front-end that knows only the documented events"
HERE = "A page that hears what it plays"
"""Titles of another page of the same origin, and of the page that plays."""


@pytest.mark.soak
@pytest.mark.parametrize("suffix", ["mp3", "m4a"])
def test_the_way_back(page: HearingPage, suffix: str, start_server: StartServer, clips: ToneClips) -> None:
    """From another page: what the browser kept plays on where it was, what it loads anew plays from a click on."""
    server = start_server({"TEST_PING_SECONDS": "1"}, observed=True)
    server.announce("clip", clips.read(suffix, SECONDS), f"clip.{suffix}")
    page.play(server)
    page.hear(3)
    page.evaluate("void addEventListener('pageshow', ({ persisted }) => (window.isKept = persisted))")
    page.evaluate("void setTimeout(() => (location.href = 'player.html?server=x'))")
    page.engine.wait_for_page(f"document.title === '{ELSEWHERE}'")
    eventually(lambda: "asf_socketio_connections 0.0" in server.metrics())
    page.evaluate("void setTimeout(() => history.back())")
    page.engine.wait_for_page(f"document.title === '{HERE}' && window.ready")
    if page.evaluate("window.isKept === true"):
        page.mark("void (resumeHearing(), playback.state === 'paused' && playback.resume())")
        page.hear(5, early=2, late=7)
    else:
        page.engine.click("#play")
        page.hear(0)
    page.seek(SECONDS - 4.5)
    page.end(SECONDS)
