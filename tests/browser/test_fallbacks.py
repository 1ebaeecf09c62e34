"""Media Source that fails before there is sound: the stream plays by its URL, from where the listener wanted it."""

import pytest

from tests.browser.audio import AudioFiles
from tests.browser.pages import Pages
from tests.support.processes import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

REFUSE = "void (SourceBuffer.prototype.appendBuffer = () => { throw new DOMException('no', 'InvalidStateError'); })"


@pytest.mark.parametrize("suffix", ["mp3", "aac", "webm"])
def test_from_the_beginning(suffix: str, server: ServerProcess, pages: Pages, audio_files: AudioFiles) -> None:
    """In the same click."""
    server.announce(f"first-{suffix}", audio_files.read(suffix), f"first.{suffix}")

    async def scenario() -> None:
        async with pages.open(server, stream=f"first-{suffix}") as page:
            await page.evaluate(REFUSE)
            await page.click("#play")
            await page.wait_for_function("playback.state === 'playing' && playback.progress.currentTime > 1")
            assert await page.evaluate("playback.output") == "url"
            assert await page.evaluate("playback.progress.currentTime") < 20
            await page.evaluate("playback.seek({ seconds: 42 })")
            await page.wait_for_function("playback.state === 'ended'")
            assert await page.evaluate("seen.errors") == []

    pages.run(scenario())


@pytest.mark.parametrize("suffix", ["mp3", "mp4"])
def test_from_where_it_was_sought(suffix: str, server: ServerProcess, pages: Pages, audio_files: AudioFiles) -> None:
    """Before anything was heard."""
    server.announce(f"later-{suffix}", audio_files.read(suffix), f"later.{suffix}")

    async def scenario() -> None:
        async with pages.open(server, stream=f"later-{suffix}") as page:
            # In one step: on a busy machine it would be heard before a pause that comes later.
            await page.evaluate("(document.getElementById('play').click(), playback.pause())")
            await page.wait_for_function("playback.progress.aheadSeconds > 20")
            assert "playing" not in await page.evaluate("seen.states")
            await page.evaluate(REFUSE)
            await page.evaluate("playback.seek({ seconds: 38 })")
            await page.wait_for_function("playback.output === 'url'")
            await page.evaluate("playback.resume()")
            begun = await page.wait_for_function("playback.state === 'playing' && playback.progress.currentTime")
            assert await begun.json_value() == pytest.approx(38, abs=2)
            await page.wait_for_function("playback.state === 'ended'")
            assert await page.evaluate("seen.errors") == []

    pages.run(scenario())
