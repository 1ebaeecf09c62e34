"""Cues in the browser: each comes when its second is heard, by what a page hears of a tone-coded clip."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest
import requests
from playwright.async_api import Page

from tests.browser.audio import CLIP, ToneClips
from tests.browser.chromium import Chromium
from tests.browser.conftest import until, violations
from tests.browser.hearing import HearingPage
from tests.browser.player import AUDIO, PLAYER, PlayerPages, player, state_is, time_is
from tests.browser.test_web_audio import WITHOUT_FLAC
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer
from tests.support.processes import ServerProcess, eventually

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

Scheme = Literal["light", "dark"]

SECONDS = 60

WRITTEN = 0.9
"""Share of a growing clip that there is."""

AT = 0.6
"""Where in its second a word starts. What hears the page tells a second up to half a second after it has begun."""

EARLY_SECONDS = 0.01
"""Positions are rounded."""

ROUTES = {"mse": ("mp3", {}), "url": ("mp3", {"device": "old"}), "pcm": ("wav", {})}
"""How a page plays: suffix of the clip, and query of the page."""

LISTEN = """(() => {
  window.entered = [];
  window.passed = [];
  playback.on("cue", ({ cue, state }) => {
    if (cue.kind === "chapter") return; // It may have entered before this listens.
    passed.push(`${state} ${cue.id}`);
    if (state === "enter") entered.push([cue.start, playback.progress.currentTime, heardSecond()]);
  });
})()"""

LIGHT = f"""
window.lit = [];
window.lines = [];
const {{ shadowRoot, audio }} = {PLAYER};
{PLAYER}.addEventListener("asf-cue", ({{ detail: {{ cue, state }} }}) => {{
  if (state !== "enter" || cue.kind !== "word") return;
  const words = [...shadowRoot.querySelectorAll(".word.active")].map(({{ textContent }}) => textContent);
  const {{ textContent: line }} = shadowRoot.querySelector(".line[aria-current]");
  lit.push([cue.id, words, line, audio.currentTime]);
}});
new MutationObserver((changes) => {{
  for (const {{ target, oldValue }} of changes) {{
    if (oldValue === null && target.matches(".line")) lines.push(target.textContent);
  }}
}}).observe(shadowRoot, {{ attributeFilter: ["aria-current"], attributeOldValue: true, subtree: true }});
"""
"""A script that notes what is marked when a word enters, and which lines become the current one."""

TOP = f"{PLAYER}.shadowRoot.querySelector('#lines').scrollTop"

HOSTILE = '<img src=x onerror="document.title=\'run\'"><b>Bold</b> & "quoted"'


def words(first: int, last: int) -> list[dict[str, Any]]:
    """Return one word for each second of the clip, within that second."""
    return [
        {"id": f"w{second}", "start": second + AT, "end": second + 0.9, "text": f"w{second}", "kind": "word"}
        for second in range(first, last)
    ]


def post(server: ServerProcess, stream_id: str, cues: list[dict[str, Any]]) -> None:
    """Post cues."""
    url = f"{server.url}/asf/internal/streams/{stream_id}/cues"
    requests.post(url, json={"cues": cues}, timeout=PATIENCE_SECONDS).raise_for_status()


@pytest.fixture
def pages(chromium: Chromium, tmp_path: Path) -> PlayerPages:
    """Return an opener of pages with the player."""
    return PlayerPages(chromium, tmp_path)


def growing(server: ServerProcess, audio: bytes) -> None:
    """Announce the stream `clip`, which is not complete yet."""
    path = server.audio_root / "clip"
    path.write_bytes(audio[: int(len(audio) * WRITTEN)])
    server.notify("clip", str(path), state="generating").raise_for_status()


def play(page: HearingPage, server: ServerProcess, route: str = "mse") -> None:
    """Play the clip with its cues, which are noted from the click on."""
    page.open(server, options='{"cues":true}', **ROUTES[route][1])
    if route == "pcm":
        page.evaluate(WITHOUT_FLAC)
    page.evaluate(f"void document.getElementById('play').addEventListener('click', () => {LISTEN})")
    page.engine.click("#play")
    page.wait_for("playback.state === 'playing'")
    assert page.evaluate("playback.output") == route


def hear(page: HearingPage, first: int, last: int, *, behind: int = 0, has_pitch: bool = True) -> None:
    """Wait for the words of these seconds: each enters once, in order, while its second is heard.

    `behind`: how many seconds of the clip what hears the page may be behind.
    """
    count = last - first + 1
    page.wait_for(f"entered.length >= {count}")
    entered = page.evaluate(f"entered.splice(0, {count})")
    assert [start for start, _, _ in entered] == [second + AT for second in range(first, last + 1)]
    right = 0
    for start, position, second in entered:
        assert position >= start - EARLY_SECONDS
        # The event of a busy machine may be late, and its sound interrupted.
        if has_pitch and second is not None and position < int(start) + 1:
            assert int(start) - behind <= second <= int(start), entered
            right += 1
    assert right >= count / 2 or not has_pitch


def seek(page: HearingPage, seconds: int) -> None:
    """Seek there. What entered before does not count any more."""
    page.evaluate(f"(() => {{ playback.seek({{ seconds: {seconds} }}); entered.length = 0; }})()")


def check_cues(page: HearingPage, server: ServerProcess, route: str) -> None:
    """Hear cues from the beginning on, after seeks, and at another speed."""
    post(server, "clip", [*words(2, 30), {"id": "all", "start": 0, "kind": "chapter", "text": "All"}])
    play(page, server, route)
    hear(page, 2, 5)
    post(server, "clip", words(30, SECONDS))
    page.wait_for(f"playback.cues.length === {SECONDS - 1}")
    seek(page, 35)
    hear(page, 35, 37)
    seek(page, 10)
    hear(page, 10, 12)
    page.evaluate("void (audio.defaultPlaybackRate = audio.playbackRate = 2)")
    hear(page, 13, 18, behind=1, has_pitch=route != "pcm")
    page.evaluate("playback.pause()")
    page.wait_for("playback.state === 'paused'")
    # All that have entered have exited, but for what is heard.
    active = page.evaluate("playback.activeCues.map(({ id }) => id)")
    balance: Counter[str] = Counter()
    for change in page.evaluate("passed"):
        state, id_ = change.split(" ")
        balance[id_] += 1 if state == "enter" else -1
    assert active[0] == "all"
    assert balance == Counter(active[1:])
    page.evaluate("playback.stop()")
    assert page.evaluate("playback.activeCues") == []
    page.check_errors()


# WebKitGTK's clock is not that of the sound: after a seek it leaves out what its sound device was too late for.
@pytest.mark.parametrize("engine", ["chromium", "firefox"], indirect=True, scope="session")
def test_each_cue_comes_when_it_is_heard(page: HearingPage, start_server: StartServer, clips: ToneClips) -> None:
    """From the beginning on, after seeks back and forth, and at another speed; nothing of what is jumped over."""
    server = start_server({})
    growing(server, clips.read("mp3", SECONDS))
    check_cues(page, server, "mse")


@pytest.mark.parametrize("route", ["url", "pcm"])
@pytest.mark.parametrize("engine", ["chromium"], indirect=True, scope="session")
def test_each_cue_comes_on_every_route(
    page: HearingPage, route: str, start_server: StartServer, clips: ToneClips
) -> None:
    """Where the element plays the URL, and by Web Audio."""
    server = start_server({})
    growing(server, clips.read(ROUTES[route][0], SECONDS))
    check_cues(page, server, route)


@pytest.mark.parametrize("engine", ["chromium"], indirect=True, scope="session")
def test_late_and_replaced_cues(page: HearingPage, start_server: StartServer, clips: ToneClips) -> None:
    """What arrives while its time is heard enters; a correction takes its place; what is past is only kept."""
    server = start_server({})
    growing(server, clips.read("mp3", SECONDS))
    play(page, server)
    page.wait_for("playback.progress.currentTime > 2")
    late = {"id": "late", "start": 1, "end": 50, "text": "Interim"}
    post(server, "clip", [late, {"id": "past", "start": 0, "end": 1, "text": "Past"}])
    page.wait_for("passed.includes('enter late')")
    post(server, "clip", [{**late, "text": "Corrected"}])
    page.wait_for("passed.length === 3")
    assert page.evaluate("passed") == ["enter late", "exit late", "enter late"]
    assert page.evaluate("playback.activeCues.map(({ text }) => text)") == ["Corrected"]
    assert page.evaluate("playback.cues.map(({ text }) => text)") == ["Past", "Corrected"]
    page.check_errors()


@pytest.mark.parametrize("route", ["mse", "url"])
@pytest.mark.parametrize("engine", ["chromium"], indirect=True, scope="session")
def test_cues_that_are_posted_after_the_audio_was_sent(
    page: HearingPage, route: str, start_server: StartServer, clips: ToneClips
) -> None:
    """A page that plays on receives them, and those that replace them; also after a seek, which asks for audio."""
    server = start_server({})
    server.announce("clip", clips.read(ROUTES[route][0], SECONDS))
    play(page, server, route)
    eventually(lambda: "asf_listeners 0.0" in server.metrics())
    late = {"id": "late", "start": 1, "end": 60, "text": "Interim"}
    post(server, "clip", [late])
    page.wait_for("passed.includes('enter late')")
    # Long before the end, as the page asks for more at longer and longer intervals.
    post(server, "clip", [{**late, "text": "Corrected"}, *words(40, SECONDS)])
    page.wait_for(f"playback.cues.length === {SECONDS - 39}")
    texts = page.evaluate("playback.activeCues.filter(({ kind }) => kind !== 'word').map(({ text }) => text)")
    assert texts == ["Corrected"]
    seek(page, 42)
    hear(page, 42, 43)
    post(server, "clip", [{**late, "text": "Corrected again"}])
    page.wait_for("playback.activeCues.some(({ text }) => text === 'Corrected again')")
    page.evaluate("playback.stop()")
    page.check_errors()


def test_native_text_tracks(server: ServerProcess, pages: PlayerPages, chromium: Chromium) -> None:
    """One for each kind, hidden; their active cues are those that are heard; emptied with the playback."""
    server.announce("tracks", CLIP.read_bytes())
    post(
        server,
        "tracks",
        [
            *words(0, 44),
            {"start": 0, "text": HOSTILE, "kind": "sentence"},
            {"start": 0, "kind": "chapter", "text": "One"},
        ],
    )

    async def scenario() -> None:
        async with pages.open(server, player(stream="tracks", cues="", **{"text-tracks": ""})) as page:
            await page.click("#play")
            await time_is(page, "> 2.5")
            tracks = (
                f"[...{AUDIO}.textTracks].map(({{ kind, label, mode, cues }}) => [kind, label, mode, cues?.length])"
            )
            assert sorted(await page.evaluate(tracks)) == [
                ["captions", "sentence", "hidden", 1],
                ["chapters", "chapter", "hidden", 1],
                ["metadata", "word", "hidden", 44],
            ]
            words_track = f"[...{AUDIO}.textTracks].find(({{ label }}) => label === 'word')"
            word = f"{PLAYER}.playback.activeCues.find(({{ kind }}) => kind === 'word')"
            await until(page, f"{words_track}.activeCues[0]?.id === {word}?.id")
            captions = f"[...{AUDIO}.textTracks].find(({{ kind }}) => kind === 'captions')"
            assert await page.evaluate(f"{captions}.cues[0].getCueAsHTML().textContent") == HOSTILE
            await page.evaluate(f"{PLAYER}.stop()")
            modes = f"[...{AUDIO}.textTracks].map(({{ mode, cues }}) => [mode, cues])"
            assert await page.evaluate(modes) == [["disabled", None]] * 3

    chromium.run(scenario())


async def scroll_away(page: Page, top: int) -> None:
    """Scroll the transcript there, as a listener does, until it follows no more.

    Before the browser has told the transcript of one step, this may have gone on to the next word.
    """
    await until(page, f"(({TOP} = {top}), !{PLAYER}.shadowRoot.querySelector('#follow').hidden)")


def sentence(name: str) -> str:
    """Return the line of that word."""
    return f"This is second {name}, as you hear."


TRANSCRIPT = [
    {"id": "c1", "start": 0, "text": "The beginning", "kind": "chapter"},
    {"id": "c2", "start": 20, "text": HOSTILE, "kind": "chapter"},
    *(
        {
            "id": f"s{second}",
            "start": second,
            "end": second + 1,
            "text": sentence(f"w{second}"),
            "kind": "sentence",
        }
        for second in range(44)
    ),
    *words(0, 44),
]


def test_the_transcript_follows_and_seeks(server: ServerProcess, pages: PlayerPages, chromium: Chromium) -> None:
    """Words light up as they are heard; clicks and Enter play from there; a listener who scrolls is left alone."""
    server.announce("transcript", CLIP.read_bytes())
    post(server, "transcript", TRANSCRIPT)

    async def scenario() -> None:
        async with pages.open(server, player(stream="transcript", cues="")) as page:
            await page.click("#play")
            await page.evaluate(f"(() => {{ {LIGHT} }})()")
            await until(page, "lit.some(([id]) => id === 'w3')")
            lit = await page.evaluate("lit")
            for word, words_lit, line, position in lit:
                assert words_lit == [word]
                assert line == sentence(word)
                assert position >= int(word[1:]) + AT - EARLY_SECONDS
            # The event of a busy machine may be late.
            assert sum(int(position) == int(word[1:]) for word, _, _, position in lit) >= len(lit) / 2
            assert await page.locator(".line").count() == 44
            # A word, not within its line. What enters before the click does not count.
            forget = "addEventListener('click', () => (lit.length = 0), { capture: true, once: true })"
            await page.evaluate(f"{PLAYER}.shadowRoot.querySelector('#lines').{forget}")
            await page.click(".word >> nth=5")
            await until(page, "lit.length > 0")
            assert (await page.evaluate("lit"))[0][0] in {"w5", "w6"}
            # It follows.
            await page.evaluate(f"void {PLAYER}.seek(30.1)")
            await until(page, f"lines.includes('{sentence('w30')}')")
            await until(page, f"{TOP} > 100")
            assert not await page.is_visible("#follow")
            # Not while the listener scrolls.
            await scroll_away(page, 0)
            await page.evaluate("void (lines.length = 0)")
            await until(page, "lines.length > 1")
            assert await page.evaluate(TOP) == 0
            await page.click("#follow")
            await until(page, f"{TOP} > 100")
            assert not await page.is_visible("#follow")
            # By keyboard, from the line that has the focus then: the current one goes on.
            await page.focus(".line[tabindex='0']")
            current = await page.evaluate(
                f"[...{PLAYER}.shadowRoot.querySelectorAll('.line')].indexOf({PLAYER}.shadowRoot.activeElement)"
            )
            for key in ["ArrowUp", "ArrowUp", "ArrowDown", "ArrowUp"]:
                await page.keyboard.press(key)
            await page.evaluate("void (lines.length = 0)")
            await page.keyboard.press("Enter")
            await until(page, f"lines.includes('{sentence(f'w{current - 2}')}')")
            # A chapter, whose name is text.
            await page.click("#chapters-title")
            assert await page.text_content(".chapter >> nth=1 >> .chapter-name") == HOSTILE
            await page.click(".chapter >> nth=1")
            await page.wait_for_selector(".chapter[aria-current] >> text=Bold")
            assert await page.title() == "Podcast"
            # While it is paused, the line shows where it is.
            await page.evaluate(f"{PLAYER}.pause(); {PLAYER}.seek(10.2)")
            await page.wait_for_selector(".line[aria-current]:has-text('w10')")
            assert await page.locator(".word.active").count() == 0

    chromium.run(scenario())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_transcript_is_accessible_and_fits(
    width: int, scheme: Scheme, server: ServerProcess, pages: PlayerPages, chromium: Chromium, axe: Path
) -> None:
    """With its chapters open, and a word that is too long for the screen."""
    stream_id = f"{scheme}-{width}"
    server.announce(stream_id, CLIP.read_bytes())
    post(
        server,
        stream_id,
        [
            *TRANSCRIPT,
            {"id": "s1", "start": 1, "text": "W" * 300, "kind": "sentence"},
            {"id": "c3", "start": 30, "text": "C" * 300, "kind": "chapter"},
        ],
    )
    style = "<style>:root { color-scheme: light dark }</style>"
    context: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}

    async def scenario() -> None:
        async with pages.open(
            server, f"<h1>Podcast</h1>{player(stream=stream_id, cues='')}", style, **context
        ) as page:
            await page.click("#play")
            await page.wait_for_selector(".line[aria-current]")
            await page.click("#chapters-title")
            await page.hover(".line >> nth=2")
            assert await violations(page, axe) == []
            assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            await scroll_away(page, 500)
            assert await violations(page, axe) == []

    chromium.run(scenario())


def test_cues_grow_with_the_stream(server: ServerProcess, pages: PlayerPages, chromium: Chromium) -> None:
    """Words come before their sentence, which takes them in; a player that plays another stream forgets them."""
    path = server.audio_root / "growing.mp3"
    path.write_bytes(CLIP.read_bytes()[:100_000])
    server.notify("growing", str(path), state="generating").raise_for_status()
    server.announce("other", CLIP.read_bytes())

    async def scenario() -> None:
        async with pages.open(server, player(stream="growing", cues="")) as page:
            await page.click("#play")
            await state_is(page, "playing")
            assert not await page.is_visible("#transcript")
            spoken = [
                {"start": 1 + number / 4, "end": 1.2 + number / 4, "kind": "word", "text": text}
                for number, text in enumerate(["to", "be", "or", "not"])
            ]
            await asyncio.to_thread(post, server, "growing", spoken)
            await page.wait_for_selector(".line:has-text('to be or not')")
            await asyncio.to_thread(
                post,
                server,
                "growing",
                [{"id": "s", "start": 1, "end": 2, "kind": "sentence", "text": "To be, or not."}],
            )
            await page.wait_for_selector(".line:has-text('To be, or not.')")
            assert await page.locator(".line").count() == 1
            assert await page.locator(".word").all_text_contents() == ["be", "or", "not"]
            await page.evaluate(f"{PLAYER}.stream = 'other'")
            await page.wait_for_selector("#transcript", state="hidden")

    chromium.run(scenario())


def test_the_console_shows_cues(server: ServerProcess, chromium: Chromium) -> None:
    """Of the stream that it plays."""
    server.announce("console", CLIP.read_bytes())
    post(server, "console", TRANSCRIPT)

    async def scenario() -> None:
        async with chromium.open(server.url) as (page, _):
            await page.click("#streams button:has-text('console')")
            await page.wait_for_selector(".line[aria-current]:has-text('w1')")

    chromium.run(scenario())
