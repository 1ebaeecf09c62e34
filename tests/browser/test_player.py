"""The element <asf-player>: what it plays, and what becomes of it."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Route

from asf.adapters.jwt_tokens import JwtTokens
from asf.domain.access.grant import Grant
from tests.browser.audio import CLIP
from tests.browser.chromium import Chromium
from tests.browser.player import AUDIO, PLAYER, PlayerPages, player, state_is, time_is
from tests.support.fixtures import StartServer
from tests.support.processes import ServerProcess, eventually
from tests.support.proxies import HAProxyBelowPath, NginxBelowPath, Proxy
from tests.support.secret_values import SECRET_KEY

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

HOUR = 3600.0

HOSTILE = '<img src=x onerror="document.title=\'run\'"><b>Bold</b> & "quoted"'

BYTES_PER_SECOND = 6000
"""Of the clip: it has 48 kbit/s."""

IDLE = ("asf_listeners 0.0", "asf_socketio_connections 0.0")
"""Metrics of a server that nobody uses."""

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture
def pages(chromium: Chromium, tmp_path: Path) -> PlayerPages:
    """Return an opener of pages with the player."""
    return PlayerPages(chromium, tmp_path)


@pytest.fixture
def run(chromium: Chromium) -> Run:
    """Return a function that runs a scenario."""
    return chromium.run


def test_a_click_plays_a_podcast_while_it_is_generated(server: ServerProcess, pages: PlayerPages, run: Run) -> None:
    """It waits for the podcast, marks it as live, follows it, and ends with it."""
    audio = CLIP.read_bytes()
    path = server.audio_root / "growing.mp3"

    async def scenario() -> None:
        async with pages.open(server, player(stream="growing", wait="")) as page:
            assert await page.get_attribute("#play", "aria-label") == "Play"
            await page.click("#play")
            await page.wait_for_selector("#status:has-text('Waiting for the audio to begin')")
            path.write_bytes(audio[: 8 * BYTES_PER_SECOND])
            await asyncio.to_thread(server.notify, "growing", str(path), state="generating")
            await state_is(page, "playing")
            assert await page.get_attribute("#play", "aria-label") == "Pause"
            await page.wait_for_selector("#live:visible")
            await page.wait_for_selector("#position[aria-valuetext$='so far']")
            await state_is(page, "stalled")
            assert await page.text_content("#status") == "Waiting for more audio…"
            with path.open("ab") as file:
                file.write(audio[8 * BYTES_PER_SECOND :])
            await state_is(page, "playing")
            await asyncio.to_thread(server.notify, "growing", str(path))
            await page.wait_for_selector("#live", state="hidden")
            await page.wait_for_selector("#duration:has-text('0:44')")  # Until all is decoded it is an estimate.
            await page.select_option("#speed", "2")
            await page.focus("#position")
            await page.keyboard.press("End")
            await state_is(page, "ended")
            assert await page.get_attribute("#play", "aria-label") == "Play"
            assert await page.get_attribute("#position", "aria-valuetext") == "0:44 of 0:44"

    run(scenario())


def test_go_live(server: ServerProcess, pages: PlayerPages, run: Run) -> None:
    """To what was generated last, which is further ahead than what was sent."""
    audio = CLIP.read_bytes() * 8
    generated = 300 * BYTES_PER_SECOND
    path = server.audio_root / "live.mp3"
    path.write_bytes(audio[:generated])
    server.notify("live", str(path), state="generating").raise_for_status()

    async def scenario() -> None:
        async with pages.open(server, player(stream="live")) as page:
            await page.click("#play")
            await time_is(page, "> 1")
            await page.click("#go-live")
            await time_is(page, "> 280")
            await state_is(page, "playing", "stalled")
            await page.wait_for_selector("#go-live", state="hidden")
            with path.open("ab") as file:
                file.write(audio[generated : generated + 10 * BYTES_PER_SECOND])
            await time_is(page, "> 301")

    run(scenario())


def test_metadata_is_shown_as_text(server: ServerProcess, pages: PlayerPages, run: Run) -> None:
    """Whatever it contains; and the cover is requested once there is sound, without saying by whom."""
    path = server.announce("about", CLIP.read_bytes())
    metadata = {"title": HOSTILE, "artist": "<i>Nobody</i>", "artwork": "https://covers.example/large.png"}
    server.notify("about", str(path), metadata=metadata).raise_for_status()
    requested: list[tuple[str | None, dict[str, str]]] = []

    async def scenario() -> None:
        async with pages.open(server, player(stream="about")) as page:

            async def cover(route: Route) -> None:
                requested.append((await page.evaluate(f"{PLAYER}.state"), await route.request.all_headers()))
                await route.fulfill(status=404)

            await page.route("https://covers.example/**", cover)
            await page.click("#play")
            await time_is(page, "> 1")
            assert await page.text_content("#title") == HOSTILE
            assert await page.text_content("#artist") == "<i>Nobody</i>"
            assert await page.get_attribute("#container", "aria-label") == f"Audio player: {HOSTILE}"
            assert await page.title() == "Podcast"
            await page.wait_for_selector("#cover", state="hidden")
            # Attributes take precedence.
            await page.evaluate(f"{PLAYER}.title = 'Mine'")
            assert await page.text_content("#title") == "Mine"

    run(scenario())
    assert requested  # by the page, and by the browser for its own controls
    for state, headers in requested:
        assert state in {"playing", "stalled"}
        assert "referer" not in headers


def test_a_removed_player_stops(start_server: StartServer, pages: PlayerPages, run: Run) -> None:
    """And gives its connection back. It can be put in again. One that is moved plays on."""
    server = start_server({})
    server.announce("s", CLIP.read_bytes())

    async def scenario() -> None:
        async with pages.open(server, player(stream="s") + "<div id='other'></div>") as page:
            await page.evaluate(f"window.player = {PLAYER}")
            await page.click("#play")
            await time_is(page, "> 1")
            await page.evaluate("""(async () => {
                document.getElementById("other").append(player);
                player.remove();
                await null;
                document.body.append(player);
            })()""")
            await time_is(page, "> 2")
            assert await page.evaluate("[player.state, player.audio.paused]") == ["playing", False]
            await page.evaluate("player.remove()")
            await page.wait_for_function("player.audio.paused && player.playback === null")
            await asyncio.to_thread(eventually, lambda: set(IDLE) <= set(server.metrics().splitlines()))
            await page.evaluate("document.body.append(player)")
            await page.click("#play")
            await time_is(page, "> 1")

    run(scenario())


def test_another_stream_is_played_instead(server: ServerProcess, pages: PlayerPages, run: Run) -> None:
    """If the former one was playing; otherwise it waits for the click."""
    for name in ("one", "two", "three"):
        server.announce(name, CLIP.read_bytes())

    async def scenario() -> None:
        async with pages.open(server, player(stream="one")) as page:
            await page.evaluate(f"window.player = {PLAYER}")
            await page.evaluate("player.stream = 'two'")
            assert await page.evaluate("player.state") is None
            await page.click("#play")
            await time_is(page, "> 1")
            await page.evaluate("player.stream = 'three'")
            await page.wait_for_function("player.playback?.streamId === 'three'")
            await time_is(page, "> 1")
            await page.evaluate("player.pause()")
            await state_is(page, "paused")
            await page.evaluate("player.stream = 'one'")
            assert await page.evaluate("player.playback") is None
            await page.evaluate("player.stream = ''")
            assert await page.is_disabled("#play")

    run(scenario())


def test_one_player_pauses_the_others(server: ServerProcess, pages: PlayerPages, run: Run) -> None:
    """Of the page; they share a client."""
    server.announce("first", CLIP.read_bytes())
    server.announce("second", CLIP.read_bytes())
    body = f"<div id='a'>{player(stream='first')}</div><div id='b'>{player(stream='second')}</div>"
    states = "[...document.querySelectorAll('asf-player')].map((player) => player.state)"

    async def scenario() -> None:
        async with pages.open(server, body) as page:
            await page.click("#a #play")
            await page.wait_for_function(f"{states}[0] === 'playing'")
            await page.click("#b #play")
            await page.wait_for_function(f"String({states}) === 'paused,playing'")
            await page.click("#a #play")
            await page.wait_for_function(f"String({states}) === 'playing,paused'")

    run(scenario())


def test_a_failure_is_a_sentence_with_a_button(server: ServerProcess, pages: PlayerPages, run: Run) -> None:
    """The page learns the code. Another try continues where it failed."""
    audio = CLIP.read_bytes()
    path = server.announce("fails", audio[: 20 * BYTES_PER_SECOND])
    server.notify("fails", str(path), state="failed", reason="no more words").raise_for_status()
    record = "addEventListener('asf-error', ({ detail }) => (window.codes ??= []).push(detail.error.code))"

    async def scenario() -> None:
        async with pages.open(server, player(stream="fails"), before=record) as page:
            await page.click("#play")
            await page.select_option("#speed", "2")
            await page.wait_for_selector("#problem:has-text('This audio could not be completed.')")
            assert await page.evaluate("codes") == ["ASF_GENERATION_FAILED"]
            assert await page.evaluate(f"{PLAYER}.state") == "failed"
            position = await page.evaluate(f"{AUDIO}.currentTime")
            path.write_bytes(audio)
            await asyncio.to_thread(server.notify, "fails", str(path))
            await page.click("#retry")
            await page.wait_for_selector("#problem", state="hidden")
            await time_is(page, f"> {max(position, 2)}")
            assert await page.evaluate(f"{AUDIO}.muted") is False
            assert await page.evaluate(f"{PLAYER}.shadowRoot.activeElement.id") == "play"

    run(scenario())


def test_a_stream_that_does_not_exist(server: ServerProcess, pages: PlayerPages, run: Run) -> None:
    """And a server that does not, are told."""

    async def scenario() -> None:
        async with pages.open(server, player(stream="nothing")) as page:
            await page.click("#play")
            await page.wait_for_selector("#problem:has-text('This audio is not available (yet).')")
            await page.evaluate(f"{PLAYER}.server = 'http://['")
            await page.click("#play")
            await page.wait_for_selector("#problem:visible")

    run(scenario())


@pytest.mark.parametrize("kind", [NginxBelowPath, HAProxyBelowPath])
def test_a_server_below_a_path(
    kind: type[Proxy], server: ServerProcess, pages: PlayerPages, run: Run, tmp_path: Path
) -> None:
    """Is found by the address of the script."""
    server.announce("below", CLIP.read_bytes())
    proxy = kind(tmp_path / "proxy", [server.port])

    async def scenario() -> None:
        async with pages.open(f"{proxy.url}/audio", player(stream="below")) as page:
            assert await page.evaluate(f"{PLAYER}.server") == f"{proxy.url}/audio/"
            await page.click("#play")
            await time_is(page, "> 1")

    try:
        run(scenario())
    finally:
        proxy.stop()


def test_a_token_may_come_from_a_function(start_server: StartServer, pages: PlayerPages, run: Run) -> None:
    """Or from an attribute. After it was rejected, another one is used."""
    server = start_server({"ASF_REQUIRE_TOKENS": "True", "ASF_SECRET_KEY": SECRET_KEY})
    server.announce("s", CLIP.read_bytes())
    grant = Grant("alice", time.time() + HOUR, frozenset({"s"}), frozenset())
    token = JwtTokens(SECRET_KEY).mint(grant)

    async def scenario() -> None:
        early = f"""addEventListener("DOMContentLoaded", () => {{
            document.querySelector("asf-player").token = () => "{token}";
        }}, {{ capture: true }})"""
        async with pages.open(server, player(stream="s"), before=early) as page:
            await page.click("#play")
            await time_is(page, "> 1")
        async with pages.open(server, player(stream="s", token="wrong")) as page:  # noqa: S106
            await page.click("#play")
            await page.wait_for_selector("#problem:has-text('You do not have access')")
            await page.evaluate(f"{PLAYER}.token = '{token}'")
            await page.click("#retry")
            await time_is(page, "> 1")

    run(scenario())
