"""The console page, used as by a person."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.async_api import Page

from tests.browser.audio import CLIP
from tests.browser.chromium import Chromium
from tests.browser.conftest import until, violations
from tests.integration.test_upload_clients import program
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer
from tests.support.processes import ServerProcess
from tests.support.secret_values import SECRET_KEY

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

AUDIO = "document.querySelector('asf-player').audio"

NOTE_SPEECH = """{
  const player = document.querySelector("asf-player");
  [window.states, window.marked] = [[], 0];
  player.addEventListener("asf-state", ({ detail }) => states.push(detail));
  new MutationObserver((changes) => {
    marked += changes.some(({ target }) => target.matches(".word.active"));
  }).observe(player.shadowRoot, { attributeFilter: ["class"], subtree: true });
}"""
"""Notes what lasts no longer than a few words."""

NOTE_TIMES = f"""{{
  window.times = [];
  {AUDIO}.addEventListener("timeupdate", ({{ target }}) => times.push(target.currentTime));
}}"""
"""Notes where the playhead is, several times a second."""

NARROW, WIDE = 360, 1280

Scheme = Literal["light", "dark"]


@asynccontextmanager
async def open_console(
    chromium: Chromium, server: ServerProcess, width: int = WIDE, scheme: Scheme = "light", path: str = "/"
) -> AsyncIterator[Page]:
    """Open the console, and wait until it gets its updates. Any error in the browser's own console fails the test."""
    context = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    async with chromium.open(server.url + path, **context) as (page, problems):
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        await page.wait_for_selector("#connection[data-state=connected]")
        await page.wait_for_selector("#watching:has-text('watching console-')")
        yield page


def announce(server: ServerProcess, stream_id: str, **more: object) -> str:
    """Announce the clip, with more fields of the announcement. Returns the path."""
    path = server.audio_root / f"{stream_id}.mp3"
    path.write_bytes(CLIP.read_bytes())
    server.notify(stream_id, str(path), **more).raise_for_status()
    return str(path)


def test_the_console_leads_to_the_reference(server: ServerProcess, chromium: Chromium) -> None:
    """By a link, and back."""

    async def scenario() -> None:
        async with open_console(chromium, server) as page:
            await page.click("text=Reference")
            await page.wait_for_selector(".opblock")
            await page.click("text=Console")
            await page.wait_for_selector("#connection[data-state=connected]")

    chromium.run(scenario())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_a_click_plays_and_the_page_is_accessible(
    width: int, scheme: Scheme, server: ServerProcess, chromium: Chromium, axe: Path
) -> None:
    """Before and while a stream plays: no violations, no horizontal scrolling."""
    server.announce("a-long-name-of-a-stream-that-does-not-fit", CLIP.read_bytes())
    server.notify("failed", str(server.audio_root / "none.mp3"), state="failed")

    async def scenario() -> None:
        async with open_console(chromium, server, width, scheme) as page:
            await page.wait_for_selector("#streams button")
            client = await page.input_value("#client-id")
            progress = {"percentage": 10, "message": "Writing the script"}
            await asyncio.to_thread(server.send_ui_update, client, "generation_progress", progress)
            await page.wait_for_selector("#updates li")
            assert await violations(page, axe) == []
            await page.click("#streams button:has-text('a-long-name')")
            await page.wait_for_selector("#state[data-state=playing]")
            await until(page, f"{AUDIO}.currentTime > 1")
            await until(page, "parseFloat(document.getElementById('figure-ahead').textContent) > 5")
            assert await page.get_attribute("#streams button:has-text('a-long-name')", "aria-current") == "true"
            await page.wait_for_selector("#events li:has-text('start_of_stream')")
            assert await page.evaluate("document.documentElement.scrollWidth") == width
            labels = await page.eval_on_selector_all("#graph text", "all => all.map(one => one.textContent)")
            assert {"Audio (kB)", "Time since start (s)", "0", "30"} <= set(labels)
            for curve in ("received", "played"):
                drawn = f"document.querySelector('#graph .{curve}').getAttribute('d')"
                await until(page, f"({drawn} ?? '').split('L').length > 4")
            await page.click("#player summary:has-text('as a table')")
            await until(page, "document.querySelectorAll('#graph-values tbody tr').length > 1")
            heads = await page.eval_on_selector_all(
                "#graph-values thead th", "all => all.map(one => one.textContent)"
            )
            assert heads == ["Time (s)", "Received (kB)", "Played (kB)"]
            assert "kB received" in str(await page.get_attribute("#graph", "aria-label"))
            assert await violations(page, axe) == []
            await page.click("#play")
            await page.wait_for_selector("#state[data-state=paused]")
            assert await page.get_attribute("#play", "aria-label") == "Play"
            await page.click("#stop")
            await page.wait_for_selector("#state[data-state=ended]")

    chromium.run(scenario())


def test_the_keyboard_is_enough(server: ServerProcess, chromium: Chromium) -> None:
    """Tab reaches all controls in visual order; Enter and Space activate them."""
    server.announce("keys", CLIP.read_bytes())

    async def scenario() -> None:
        async with open_console(chromium, server) as page:
            await page.wait_for_selector("#streams button")
            await page.keyboard.press("Tab")
            assert await page.evaluate("document.activeElement.textContent") == "Reference"
            await page.keyboard.press("Tab")
            assert await page.evaluate("document.activeElement.id") == "demo"
            await page.focus("#streams button:has-text('keys')")
            await page.keyboard.press("Enter")
            await page.wait_for_selector("#state[data-state=playing]")
            await page.focus("#play")
            await page.keyboard.press("Space")
            await page.wait_for_selector("#state[data-state=paused]")
            assert await page.evaluate("document.activeElement.shadowRoot.activeElement.id") == "play"
            await page.wait_for_selector("#position:not([disabled])")
            await page.focus("#position")
            await page.keyboard.press("End")
            await until(page, f"{AUDIO}.currentTime > 40")

    chromium.run(scenario())


def test_a_typed_text_is_heard_and_read(server: ServerProcess, chromium: Chromium) -> None:
    """And read: its words are marked. Its progress comes as UI updates."""
    program("espeak-ng", "espeak-ng")

    async def scenario() -> None:
        async with open_console(chromium, server) as page:
            await page.evaluate(NOTE_SPEECH)
            await page.fill("#text", "Hello, and welcome. You can type a text here, and hear it.")
            await page.click("#speak button")
            await until(page, "states.includes('playing')")
            await page.wait_for_selector("#updates li:has-text('generation_progress')")
            await until(page, "marked > 0")
            await until(page, f"{AUDIO}.currentTime > 2")
            await page.wait_for_selector("#updates li:has-text('task_completed')")
            await page.wait_for_selector("#state[data-state=ended]")
            assert await page.is_hidden("#notice")

    chromium.run(scenario())


def test_the_console_says_what_cannot_be_spoken(start_server: StartServer, chromium: Chromium) -> None:
    """A text without words; and without a voice, what to install, while the clip plays."""
    server = start_server({"PATH": "/nonexistent"})

    async def scenario() -> None:
        async with chromium.open(server.url) as (page, _problems):
            await page.fill("#text", "?")
            await page.click("#speak button")
            await page.wait_for_selector("#notice:has-text('must have a word')")
            await page.fill("#text", "Hello.")
            await page.click("#speak button")
            await page.wait_for_selector("#notice:has-text('apt-get install espeak-ng')")
            await page.wait_for_selector("#state[data-state=playing]")

    chromium.run(scenario())


def test_updates_of_the_client_in_the_field(server: ServerProcess, chromium: Chromium) -> None:
    """Each once, whichever client was watched before."""

    async def scenario() -> None:
        async with open_console(chromium, server) as page:
            for client in ("alice", "bob"):
                await page.fill("#client-id", client)
                await page.click("#watch button")
                await page.wait_for_selector(f"#watching:has-text('watching {client}')")
            for client in ("alice", "bob"):
                update = {"percentage": 40, "of": client}
                await asyncio.to_thread(server.send_ui_update, client, "generation_progress", update)
            await page.wait_for_selector("#updates li")
            await asyncio.to_thread(server.send_ui_update, "bob", "task_completed", None)
            await page.wait_for_selector("#updates li:has-text('task_completed')")
            texts = await page.eval_on_selector_all("#updates code", "codes => codes.map(code => code.textContent)")
            assert texts == ["#2 null", '#1 { "percentage": 40, "of": "bob" }']
            assert await page.evaluate("document.getElementById('percentage').value") == 100

    chromium.run(scenario())


def test_the_demo_button_generates_a_podcast_and_plays_it(server: ServerProcess, chromium: Chromium) -> None:
    """It plays and shows its progress while it is being generated, faster than it is heard. One can rewind."""

    async def scenario() -> None:
        async with open_console(chromium, server) as page:
            await page.select_option("#pace", "1.5")
            await page.click("#demo")
            await page.wait_for_selector("#state[data-state=playing]")
            stream_id = parse_qs(urlsplit(page.url).query)["stream"][0]
            await until(page, "document.title === '▶ welcome · ASF console'")
            assert await page.text_content("#title") == "welcome"
            await page.wait_for_selector(f"#subtitle:has-text('{stream_id}'):has-text('being generated')")
            await page.wait_for_selector("#updates li:has-text('generation_progress')")
            await page.wait_for_selector("#streams .badge[data-state=generating]")
            await until(page, f"{AUDIO}.currentTime > 1")
            await until(page, "document.getElementById('percentage').value > 4")
            await until(page, f"{AUDIO}.buffered.end(0) > 8")
            await page.evaluate(NOTE_TIMES)
            for seconds in (7, 0, 5):
                await page.evaluate(f"(times.length = 0, document.querySelector('asf-player').seek({seconds}))")
                await until(page, f"times.some((time) => time > {seconds + 0.2} && time < {seconds + 2})")
                await page.wait_for_selector("#state[data-state=playing]")
            assert "so far" in str(await page.get_attribute("#position", "aria-valuetext"))
            url = f"{server.url}/asf/internal/streams/{stream_id}"
            stream = await asyncio.to_thread(requests.get, url, timeout=PATIENCE_SECONDS)
            assert stream.json()["state"] == "generating"

    chromium.run(scenario())


def test_a_link_opens_and_names_a_stream(server: ServerProcess, chromium: Chromium, axe: Path) -> None:
    """It plays when it is pressed. The button copies the same link; a stream that comes later is named, too."""
    announce(server, "a & b", metadata={"title": "News\nof <b>today</b>"})
    path = "/?stream=a+%26+b"

    async def scenario() -> None:
        async with open_console(chromium, server, path=path) as page:
            await until(page, "document.title === 'News of <b>today</b> · ASF console'")
            await page.wait_for_selector("#streams button[aria-current=true]:has-text('a & b')")
            assert await page.text_content("#title") == "News of <b>today</b>"
            assert await page.text_content("#state") == "ready to play"
            await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            for allowed in (True, False):
                if not allowed:
                    await page.evaluate("navigator.clipboard.writeText('')")
                    await page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject(new Error()))")
                await page.click("#copy")
                await until(page, f"navigator.clipboard.readText().then(text => text === '{server.url + path}')")
                await page.wait_for_selector("#copied:has-text('Link copied')")
                assert await page.evaluate("document.activeElement.id") == "copy"
            assert await violations(page, axe) == []
            await page.click("#play")
            await until(page, "document.title.startsWith('▶ News')")
            await page.fill("#stream-id", "later")
            await page.click("#join button")
            await page.wait_for_selector("#subtitle:has-text('not announced')")
            assert await page.text_content("#copied") == ""
            assert page.url == f"{server.url}/?stream=later"
            await asyncio.to_thread(lambda: announce(server, "later", metadata={"title": "Late"}))
            await until(page, "document.title === '▶ Late · ASF console'")

    chromium.run(scenario())


def test_the_axes_of_the_graph_reach_as_far_as_the_values(server: ServerProcess, chromium: Chromium) -> None:
    """With ticks at round numbers, and units that keep the numbers short."""
    axes = {
        "timeAxis(30)": ("s", ["0", "5", "10", "15", "20", "25", "30"]),
        "timeAxis(31)": ("s", ["0", "10", "20", "30", "40"]),
        "timeAxis(601)": ("min", ["0", "2", "4", "6", "8", "10", "12"]),
        "timeAxis(36000)": ("min", ["0", "100", "200", "300", "400", "500", "600"]),
        "byteAxis(265942)": ("kB", ["0", "50", "100", "150", "200", "250", "300"]),
        "byteAxis(1e9)": ("MB", ["0", "200", "400", "600", "800", "1000"]),
    }

    async def scenario() -> None:
        async with open_console(chromium, server) as page:
            for call, expected in axes.items():
                axis = await page.evaluate(f"import('/console/axes.js').then(axes => axes.{call})")
                assert (axis["unit"], [tick["text"] for tick in axis["ticks"]]) == expected
                assert axis["ticks"][-1]["value"] == axis["end"]

    chromium.run(scenario())


def test_no_text_stays_when_it_no_longer_holds(start_server: StartServer, chromium: Chromium) -> None:
    """Of a stream that has failed or is deleted, a playback that is stopped, a task, a watch and a server."""
    server = start_server()
    audio = announce(server, "s", state="generating", metadata={"title": "First"})

    async def scenario() -> None:
        async with chromium.open(f"{server.url}/?stream=s") as (page, _problems):
            await page.wait_for_selector("#subtitle:has-text('being generated')")
            await page.click("#play")
            await page.wait_for_selector("#figure-total:has-text('in progress')")
            await page.click("#stop")
            await page.wait_for_selector("#figure-total:has-text('unknown')")
            for name in ("ahead", "rate"):
                assert not re.search(r"\d", str(await page.text_content(f"#figure-{name}")))
            await until(page, "document.title === 'First · ASF console'")
            failed = {"state": "failed", "reason": "No voice", "metadata": {"title": "Second"}}
            await asyncio.to_thread(lambda: server.notify("s", audio, **failed).raise_for_status())
            await page.wait_for_selector("#subtitle:has-text('generation failed · No voice')")
            await page.wait_for_selector("#title:has-text('Second')")
            await asyncio.to_thread(requests.delete, f"{server.url}/asf/internal/streams/s", timeout=PATIENCE_SECONDS)
            await page.wait_for_selector("#subtitle:has-text('not announced')")
            client = await page.input_value("#client-id")
            await page.wait_for_selector(f"#watching:has-text('watching {client}')")
            for event, data in (("generation_progress", {"percentage": 40}), ("task_failed", {})):
                await asyncio.to_thread(server.send_ui_update, client, event, data)
            await page.wait_for_selector("#progress-text:has-text('Failed')")
            await asyncio.to_thread(server.stop)
            await page.wait_for_selector("#stream-count:has-text('not up to date')")
            await page.wait_for_selector(f"#watching:has-text('connecting to {client}')")
            await page.click("#demo")
            await page.wait_for_selector("#notice:has-text('No response')")

    chromium.run(scenario())


def test_production_has_no_console(start_server: StartServer) -> None:
    """Neither the page nor its files."""
    server = start_server({"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY})
    for path in ("/", "/console/console.js", "/console/static/asf-client/index.js"):
        response = requests.get(server.url + path, timeout=PATIENCE_SECONDS)
        assert (response.status_code, response.json()["error_code"]) == (404, "ASF_NOT_FOUND")


@pytest.mark.parametrize("path", ["/console/../__init__.py", "/console/%2e%2e/__init__.py", "/console//etc/passwd"])
def test_only_its_own_files_are_served(path: str, server: ServerProcess) -> None:
    """Whatever the path."""
    request = requests.Request("GET", server.url).prepare()
    request.url = server.url + path
    with requests.Session() as session:
        assert session.send(request, timeout=PATIENCE_SECONDS).status_code == 404
