"""Audio elements that a page played in and dropped: the browser collects them, and the server's sessions end."""

import asyncio
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.browser.audio import CLIP, AudioFiles
from tests.browser.chromium import Chromium
from tests.browser.conftest import open_page
from tests.browser.player import PLAYER, PlayerPages, player, state_is
from tests.support.fixtures import StartServer
from tests.support.processes import eventually

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

PLAY_AND_DROP = """(async (seconds) => {
    const audio = new Audio();
    const playback = client.play("clip", audio);
    const become = (state) => new Promise((done) => playback.on("state", (now) => now === state && done()));
    await become("playing");
    if (seconds === null) playback.pause();
    else {
        const ended = become("ended");
        playback.seek({ seconds });
        await ended;
    }
    window.dropped = new WeakRef(audio);
})"""


@pytest.mark.parametrize("suffix", ["mp3", "m4a"])
@pytest.mark.parametrize("seconds", [None, 43.0], ids=["paused", "ended"])
def test_a_dropped_element_is_collected(
    suffix: str,
    seconds: float | None,
    start_server: StartServer,
    chromium: Chromium,
    page_server: str,
    audio_files: AudioFiles,
) -> None:
    """And its session ends."""
    server = start_server({})
    # Long enough that a session of what is paused has not ended by itself.
    server.announce(
        "clip", audio_files.read(suffix) * (10 if seconds is None and suffix == "mp3" else 1), f"c.{suffix}"
    )
    url = f"{page_server}/client.html?{urlencode({'server': server.url})}"

    async def scenario() -> None:
        async with open_page(chromium, url) as page:
            await page.wait_for_function("window.ready")
            await page.evaluate(PLAY_AND_DROP, seconds)
            browser = await page.context.new_cdp_session(page)

            async def is_collected() -> bool:
                await browser.send("HeapProfiler.collectGarbage")
                return bool(await page.evaluate("dropped.deref() === undefined"))

            for _ in range(150):
                if await is_collected():
                    break
                await asyncio.sleep(0.2)
            else:
                pytest.fail("The element is kept.")
            await asyncio.to_thread(eventually, lambda: "asf_listeners 0.0" in server.metrics())

    chromium.run(scenario())


@pytest.mark.parametrize("state", ["playing", "ended", "failed"])
def test_a_dropped_player_is_collected(
    state: str, start_server: StartServer, chromium: Chromium, tmp_path: Path
) -> None:
    """Removed while it plays, after its end, and after a failure."""
    server = start_server({})
    server.announce("clip", CLIP.read_bytes())
    stream = "nothing" if state == "failed" else "clip"

    async def scenario() -> None:
        async with PlayerPages(chromium, tmp_path).open(server, f"<p></p>{player(stream=stream)}") as page:
            await page.click("#play")
            if state == "ended":
                await page.locator("#position:not([disabled])").wait_for()  # A handle would keep it.
                await page.evaluate(f"{PLAYER}.seek(43)")
            await state_is(page, state)
            await page.evaluate(
                f"(({{ audio }}) => (window.dropped = [new WeakRef({PLAYER}), new WeakRef(audio)]))({PLAYER}), 0"
            )
            await page.evaluate(f"{PLAYER}.remove()")
            browser = await page.context.new_cdp_session(page)
            for _ in range(150):
                await browser.send("HeapProfiler.collectGarbage")
                if await page.evaluate("dropped.every((one) => one.deref() === undefined)"):
                    break
                await asyncio.sleep(0.2)
            else:
                pytest.fail(f"Kept: {await page.evaluate('dropped.map((one) => String(one.deref()))')}")
            await asyncio.to_thread(eventually, lambda: "asf_listeners 0.0" in server.metrics())

    chromium.run(scenario())
