"""Pages whose policy forbids what the client would do first: it does what is allowed, or says what is not."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.audio import AudioFiles
from tests.browser.chromium import Chromium
from tests.browser.pages import Pages
from tests.support.processes import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

BYTES_PER_SECOND = 6000
"""Of the clip as MP3."""


async def allow(page: Page, policy: str) -> None:
    """Give the page a Content Security Policy."""
    await page.evaluate(
        """(content) => {
            const policy = document.createElement("meta");
            policy.httpEquiv = "Content-Security-Policy";
            policy.content = content;
            document.head.append(policy);
        }""",
        policy,
    )


async def errors(page: Page) -> Any:
    """Return the code and the details of each error."""
    return await page.evaluate("problems")


NOTE = """() => {
    window.problems = [];
    const play = client.play.bind(client);
    client.play = (...rest) => {
        const playback = play(...rest);
        playback.on("error", ({ error }) => problems.push([error.code, error.details]));
        return playback;
    };
}"""
"""Notes the errors of what is played from now on."""


@pytest.mark.parametrize("suffix", ["mp3", "wav"])
def test_where_blobs_are_forbidden_the_stream_plays_by_its_url(
    suffix: str, server: ServerProcess, pages: Pages, audio_files: AudioFiles
) -> None:
    """Which the policy allows: sought in, and to its end."""
    server.announce(f"clip-{suffix}", audio_files.read(suffix), f"clip.{suffix}")

    async def scenario() -> None:
        async with pages.open(server, stream=f"clip-{suffix}") as page:
            await allow(page, f"media-src {server.url}")
            await page.click("#play")
            await page.wait_for_function("playback.state === 'playing' && playback.progress.currentTime > 1")
            assert await page.evaluate("playback.output") == "url"
            await page.evaluate("playback.seek({ seconds: 42 })")
            await page.wait_for_function("playback.state === 'ended'")
            assert await page.evaluate("seen.errors") == []

    pages.run(scenario())


@pytest.mark.parametrize("suffix", ["mp3", "m4a"])
def test_where_no_audio_is_allowed_that_is_the_error(
    suffix: str, server: ServerProcess, pages: Pages, audio_files: AudioFiles
) -> None:
    """It names what the policy lacks."""
    server.announce(f"none-{suffix}", audio_files.read(suffix), f"none.{suffix}")

    async def scenario() -> None:
        async with pages.open(server, stream=f"none-{suffix}") as page:
            await allow(page, "media-src 'none'")
            await page.evaluate(NOTE)
            await page.click("#play")
            await page.wait_for_function("playback.state === 'failed'")
            [(code, details)] = await errors(page)
            assert code == "ASF_CLIENT_CONNECTION_FAILED"
            assert server.url in details
            assert "media-src" in details

    pages.run(scenario())


def test_where_growing_audio_needs_blobs_that_is_the_error(
    server: ServerProcess, pages: Pages, audio_files: AudioFiles
) -> None:
    """To continue elsewhere than at the beginning, it is played from a copy."""
    audio = audio_files.read("mp3")
    path = server.audio_root / "grows.mp3"
    path.write_bytes(audio[: 30 * BYTES_PER_SECOND])
    server.notify("grows", str(path), state="generating").raise_for_status()

    async def scenario() -> None:
        async with pages.open(server, stream="grows") as page:
            await allow(page, f"media-src {server.url}")
            await page.evaluate(NOTE)
            await page.click("#play")
            await page.wait_for_function("playback.state === 'playing'")
            await page.evaluate("playback.seek({ seconds: 20 })")
            await page.wait_for_function("playback.state === 'failed'")
            [(code, details)] = await errors(page)
            assert code == "ASF_CLIENT_CONNECTION_FAILED"
            assert "blob:" in details

    pages.run(scenario())
    server.notify("grows", str(path)).raise_for_status()


class IsolatedFolder(SimpleHTTPRequestHandler):
    """A folder whose pages are isolated from others."""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def isolated_pages(chromium: Chromium) -> Iterator[Pages]:
    """Return an opener of isolated pages. To browsers they are of another site than 127.0.0.1."""
    handler = partial(IsolatedFolder, directory=str(Path(__file__).parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Pages(chromium, f"http://localhost:{server.server_port}")
        server.shutdown()


@pytest.mark.parametrize(("suffix", "output"), [("mp3", "mse"), ("m4a", "url")])
def test_isolated_pages_play(
    suffix: str, output: str, server: ServerProcess, isolated_pages: Pages, audio_files: AudioFiles
) -> None:
    """By either way, and Web Audio hears it, though the page did not ask for CORS."""
    server.announce(f"isolated-{suffix}", audio_files.read(suffix), f"isolated.{suffix}")

    async def scenario() -> None:
        query = {"stream": f"isolated-{suffix}", "analyse": "", "options": json.dumps({})}
        async with isolated_pages.open(server, **query) as page:
            assert await page.evaluate("crossOriginIsolated")
            await page.click("#play")
            await page.wait_for_function("playback.progress.currentTime > 1 && level() > 0.01")
            assert await page.evaluate("playback.output") == output
            assert await page.evaluate("seen.errors") == []

    isolated_pages.run(scenario())
