"""Audio elements that the page uses for something else, or twice: the client leaves them to it."""

import asyncio

import pytest
from playwright.async_api import Page

from tests.browser.audio import CLIP, CLIP_SECONDS, AudioFiles
from tests.browser.pages import Pages
from tests.support.fixtures import StartServer
from tests.support.processes import ServerProcess, eventually

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

NOTHING_LEFT = {"asf_listeners 0.0", "asf_socketio_connections 0.0"}


async def is_the_pages(page: Page, server: ServerProcess) -> None:
    """Check that the element plays what the page gave it, to the end, and that the playback ended without error."""
    await page.wait_for_function("playback.state === 'ended'")
    await page.evaluate("audio.playbackRate = 16")
    await page.wait_for_function("audio.ended")
    # A playback that watched on would take this for its own end, and request the stream again.
    await page.evaluate("new Promise((done) => setTimeout(done, 1000))")
    assert await page.evaluate("[audio.ended, audio.src === own, seen.errors]") == [True, True, []]
    assert await page.evaluate("audio.duration") == pytest.approx(CLIP_SECONDS, abs=1)
    await asyncio.to_thread(eventually, lambda: set(server.metrics().splitlines()) >= NOTHING_LEFT)


TAKE = """async (suffix) => {
    const bytes = await (await fetch(suffix)).arrayBuffer();
    window.own = URL.createObjectURL(new Blob([bytes], { type: "audio/mpeg" }));
    audio.src = own;
    await audio.play();
}"""


@pytest.mark.parametrize("suffix", ["mp3", "m4a"])
@pytest.mark.parametrize("when", ["waiting", "playing", "paused"])
def test_an_element_that_the_page_gives_another_source(
    suffix: str, when: str, start_server: StartServer, pages: Pages, audio_files: AudioFiles
) -> None:
    """Before the stream has begun, and in mid-stream, by whichever way it plays."""
    server = start_server()
    server.announce("own", CLIP.read_bytes())
    audio = audio_files.read(suffix)
    if when != "waiting":
        server.announce("clip", audio, f"clip.{suffix}")

    async def scenario() -> None:
        async with pages.open(server, stream="clip", options='{"wait": true}') as page:
            await page.click("#play")
            await page.wait_for_function(f"playback.state === '{'playing' if when != 'waiting' else when}'")
            if when == "paused":
                await page.evaluate("playback.pause()")
                await page.wait_for_function("playback.state === 'paused'")
            await page.evaluate(TAKE, server.stream_url("own"))
            if when == "waiting":
                await asyncio.to_thread(server.announce, "clip", audio, f"clip.{suffix}")
            await is_the_pages(page, server)
            # And back: the page's own source gives way.
            await asyncio.to_thread(server.announce, "clip", audio, f"clip.{suffix}")
            await page.click("#play")
            await page.wait_for_function("playback.state === 'playing' && playback.progress.currentTime > 0.5")
            assert await page.evaluate("audio.src === own") is False

    pages.run(scenario())


def test_an_element_that_had_a_stream_of_its_own(start_server: StartServer, pages: Pages) -> None:
    """A `srcObject` goes before any other source: it is taken out."""
    server = start_server()
    server.announce("clip", CLIP.read_bytes())

    async def scenario() -> None:
        async with pages.open(server, stream="clip") as page:
            await page.evaluate(
                "void (audio.srcObject = new AudioContext().createMediaStreamDestination().stream, audio.play())"
            )
            await page.click("#play")
            await page.wait_for_function("playback.state === 'playing' && audio.currentTime > 0.5")
            assert await page.evaluate("audio.srcObject") is None

    pages.run(scenario())


@pytest.mark.parametrize("suffix", ["mp3", "m4a"])
def test_an_element_that_is_emptied(
    suffix: str, start_server: StartServer, pages: Pages, audio_files: AudioFiles
) -> None:
    """As pages end what plays in it: the session ends, too."""
    server = start_server()
    server.announce("clip", audio_files.read(suffix), f"clip.{suffix}")

    async def scenario() -> None:
        async with pages.open(server, stream="clip") as page:
            await page.click("#play")
            await page.wait_for_function("playback.state === 'playing'")
            await page.evaluate("(audio.removeAttribute('src'), audio.load())")
            await page.wait_for_function("playback.state === 'ended'")
            assert await page.evaluate("seen.errors") == []
            await asyncio.to_thread(eventually, lambda: set(server.metrics().splitlines()) >= NOTHING_LEFT)

    pages.run(scenario())


@pytest.mark.parametrize("suffix", ["mp3", "m4a"])
def test_played_in_twice(suffix: str, start_server: StartServer, pages: Pages, audio_files: AudioFiles) -> None:
    """At once, and by two clients: the last one plays, and only its session is left."""
    server = start_server()
    server.announce("clip", audio_files.read(suffix), f"clip.{suffix}")
    server.announce("other", CLIP.read_bytes() * 10)

    async def scenario() -> None:
        async with pages.open(server, stream="clip") as page:
            await page.click("#play")
            await page.evaluate(
                """async (url) => {
                    const { connect } = await import("asf-client");
                    window.all = [client, client, connect(url)].map((one, index) =>
                        one.play(index === 1 ? "clip" : "other", audio));
                }""",
                server.url,
            )
            states = "[playback, ...all].map(({ state }) => state).join()"
            await page.wait_for_function(f"{states} === 'ended,ended,ended,playing' && audio.currentTime > 0.5")
            assert await page.evaluate("seen.errors") == []
            await asyncio.to_thread(eventually, lambda: "asf_listeners 1.0" in server.metrics())

    pages.run(scenario())
