"""The controls of <asf-player>: for everybody, with every device, on every page."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Page

from tests.browser.audio import CLIP
from tests.browser.chromium import Chromium
from tests.browser.conftest import violations
from tests.browser.player import AUDIO, PLAYER, PlayerPages, player, state_is, time_is
from tests.support.processes import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

Scheme = Literal["light", "dark"]

Run = Callable[[Coroutine[Any, Any, None]], None]

LONG = "A_title_without_any_space_that_is_far_too_long_for_the_screen_of_a_phone " * 2

PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)


@pytest.fixture
def pages(chromium: Chromium, tmp_path: Path) -> PlayerPages:
    """Return an opener of pages with the player."""
    return PlayerPages(chromium, tmp_path)


@pytest.fixture
def run(chromium: Chromium) -> Run:
    """Return a function that runs a scenario."""
    return chromium.run


async def fits(page: Page) -> bool:
    """Return whether nothing must be scrolled sideways, and every control is as large as a fingertip."""
    width = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    small = await page.evaluate(f"""[...{PLAYER}.shadowRoot.querySelectorAll("button, select, input")]
        .filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect())
        .filter(({{ width, height }}) => width < 44 || height < 44)""")
    return bool(width <= 0 and not small)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_accessible_and_fits(
    width: int, scheme: Scheme, server: ServerProcess, pages: PlayerPages, run: Run, axe: Path
) -> None:
    """Before it plays, while it plays live audio, and after it failed."""
    path = server.announce("live", CLIP.read_bytes())
    metadata = {"title": LONG, "artist": LONG, "artwork": PICTURE}
    server.notify("live", str(path), state="generating", metadata=metadata).raise_for_status()
    style = "<style>:root { color-scheme: light dark }</style>"
    context: dict[str, Any] = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}

    async def scenario() -> None:
        async with pages.open(server, f"<h1>Podcast</h1>{player(stream='live')}", style, **context) as page:
            assert await violations(page, axe) == []
            assert await fits(page)
            await page.click("#play")
            await state_is(page, "playing")
            await page.wait_for_selector("#live:visible")
            await page.wait_for_selector("#go-live:visible")
            await page.wait_for_selector("#cover:visible")
            assert await violations(page, axe) == []
            assert await fits(page)
            await page.evaluate(f"{PLAYER}.stream = 'nothing'")
            await page.wait_for_selector("#problem:visible")
            assert await violations(page, axe) == []
            assert await fits(page)

    run(scenario())


def test_right_to_left_pages(server: ServerProcess, pages: PlayerPages, run: Run) -> None:
    """Have the texts on the right, and the time from left to right."""
    server.announce("s", CLIP.read_bytes())

    async def scenario() -> None:
        context: dict[str, Any] = {"viewport": {"width": 360, "height": 800}}
        body = f"<div dir='rtl'>{player(stream='s', title='שלום')}</div>"
        async with pages.open(server, body, **context) as page:
            await page.click("#play")
            await time_is(page, "> 1")
            assert await fits(page)
            left = f"(id) => {PLAYER}.shadowRoot.getElementById(id).getBoundingClientRect().left"
            assert await page.evaluate(left, "back") < await page.evaluate(left, "forward")
            title = f"getComputedStyle({PLAYER}.shadowRoot.getElementById('title')).direction"
            assert await page.evaluate(title) == "rtl"

    run(scenario())


def test_the_keyboard_is_enough(server: ServerProcess, pages: PlayerPages, run: Run) -> None:
    """Tab reaches the controls; keys do what those of media players do."""
    server.announce("keys", CLIP.read_bytes())

    async def scenario() -> None:
        async with pages.open(server, f"<input id='outside'>{player(stream='keys')}") as page:
            await page.focus("#outside")
            await page.keyboard.type("k m")
            assert await page.input_value("#outside") == "k m"
            assert await page.evaluate(f"{PLAYER}.state") is None
            await page.keyboard.press("Tab")
            assert await page.evaluate(f"{PLAYER}.shadowRoot.activeElement.id") == "play"
            outline = f"getComputedStyle({PLAYER}.shadowRoot.activeElement).outlineStyle"
            assert await page.evaluate(outline) == "solid"
            await page.keyboard.press("Enter")
            await time_is(page, "> 1")
            await page.wait_for_selector("#position:not([disabled])")
            await page.keyboard.press("k")
            await state_is(page, "paused")
            start = await page.evaluate(f"{AUDIO}.currentTime")
            for key, place in (("l", 15), ("ArrowRight", 20), ("ArrowLeft", 15), ("j", 0)):
                await page.keyboard.press(key)
                await time_is(page, f"- {start + place} < 0.5 && {AUDIO}.currentTime - {start + place} > -0.5")
            await page.keyboard.press("End")
            await time_is(page, "> 43")
            await page.keyboard.press("Home")
            await time_is(page, "< 1")
            await page.keyboard.press("m")
            assert await page.evaluate(f"{AUDIO}.muted")
            await page.wait_for_selector("#mute[aria-label=Unmute]")
            await page.keyboard.press("m")
            for _ in range(3):
                await page.keyboard.press("ArrowDown")
            assert await page.evaluate(f"{AUDIO}.volume") == pytest.approx(0.7)
            # A slider's own keys stay its own.
            await page.focus("#volume")
            await page.keyboard.press("ArrowLeft")
            assert await page.evaluate(f"{AUDIO}.volume") == pytest.approx(0.65)
            await page.focus("#speed")
            await page.keyboard.press("k")
            assert await page.evaluate(f"{PLAYER}.state") == "paused"

    run(scenario())


CAPTURE = """
window.handlers = {};
const { mediaSession } = navigator;
const setActionHandler = mediaSession.setActionHandler.bind(mediaSession);
mediaSession.setActionHandler = (action, handler) => {
    handlers[action] = handler;
    setActionHandler(action, handler);
};
const setPositionState = mediaSession.setPositionState.bind(mediaSession);
mediaSession.setPositionState = (state) => {
    window.positionState = state;
    setPositionState(state);
};
"""
"""Makes the handlers callable that the browser would call for keys of the lock screen."""


def test_the_keys_of_the_lock_screen(server: ServerProcess, pages: PlayerPages, run: Run) -> None:
    """Play, pause and seek; the screen shows title, cover and position."""
    path = server.announce("s", CLIP.read_bytes())
    metadata = {"title": "Episode 1", "author": "ASF", "show": "Tests", "cover": PICTURE}
    server.notify("s", str(path), metadata=metadata).raise_for_status()

    async def scenario() -> None:
        async with pages.open(server, player(stream="s"), before=CAPTURE) as page:
            await page.click("#play")
            await time_is(page, "> 1")
            await page.wait_for_function("navigator.mediaSession.playbackState === 'playing'")
            await page.wait_for_function("navigator.mediaSession.metadata.artwork.length === 1")
            shown = await page.evaluate(
                "(({ title, artist, album }) => [title, artist, album])(navigator.mediaSession.metadata)"
            )
            assert shown == ["Episode 1", "ASF", "Tests"]
            await page.wait_for_function("positionState.duration > 40 && positionState.position > 1")
            await page.evaluate("handlers.pause()")
            await state_is(page, "paused")
            assert await page.evaluate("navigator.mediaSession.playbackState") == "paused"
            await page.evaluate("handlers.seekto({ seekTime: 30 })")
            await time_is(page, ">= 30")
            await page.evaluate("handlers.seekbackward({})")
            await time_is(page, "< 16")
            await page.evaluate("handlers.seekforward({ seekOffset: 10 })")
            await time_is(page, ">= 25")
            await page.evaluate("handlers.play()")
            await state_is(page, "playing")
            await page.evaluate(f"{PLAYER}.remove()")
            await page.wait_for_function("handlers.play === null && navigator.mediaSession.metadata === null")

    run(scenario())


def test_a_strict_policy_permits_it(server: ServerProcess, pages: PlayerPages, run: Run) -> None:
    """Without inline styles, inline scripts, and text as HTML."""
    path = server.announce("s", CLIP.read_bytes())
    server.notify("s", str(path), metadata={"title": "T", "artwork": PICTURE}).raise_for_status()
    policy = (
        f"default-src 'none'; script-src {server.url}; connect-src {server.url} {server.url.replace('http', 'ws')};"
        f" media-src blob: {server.url}; img-src data:; style-src 'self'; require-trusted-types-for 'script'"
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    record = "addEventListener('securitypolicyviolation', (event) => (window.violated = event.violatedDirective))"

    async def scenario() -> None:
        async with pages.open(server, player(stream="s"), head, before=record) as page:
            await page.click("#play")
            await time_is(page, "> 1")
            await page.wait_for_selector("#cover:visible")
            assert await page.evaluate("window.violated ?? null") is None
            radius = f"getComputedStyle({PLAYER}.shadowRoot.getElementById('play')).borderRadius"
            assert await page.evaluate(radius) == "50%"

    run(scenario())


def test_a_page_styles_it(server: ServerProcess, pages: PlayerPages, run: Run) -> None:
    """By custom properties and parts."""
    style = "<style>asf-player { --asf-accent: rgb(1, 2, 3) } asf-player::part(title) { color: rgb(4, 5, 6) }</style>"

    async def scenario() -> None:
        async with pages.open(server, player(stream="s", title="T"), style) as page:
            computed = f"(id) => getComputedStyle({PLAYER}.shadowRoot.getElementById(id))"
            assert await page.evaluate(f"({computed})('play').backgroundColor") == "rgb(1, 2, 3)"
            assert await page.evaluate(f"({computed})('title').color") == "rgb(4, 5, 6)"

    run(scenario())
