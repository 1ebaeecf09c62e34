"""The browser client's sessions and watches: they do not give up, and do not hammer; failures are told."""

import asyncio
import json
import time
from http import HTTPStatus
from typing import Any

import pytest
import requests
from playwright.async_api import Page, Request, WebSocket

from asf.adapters.jwt_tokens import JwtTokens
from asf.domain.access.grant import Grant
from tests.browser.audio import CLIP, AudioFiles
from tests.browser.pages import Pages, assert_received
from tests.support.black_hole import BlackHole
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.cutting_proxy import CuttingProxy
from tests.support.engineio_wire import WireListener, join
from tests.support.fixtures import StartServer
from tests.support.ports import free_ports
from tests.support.processes import ServerProcess, eventually
from tests.support.secret_values import SECRET_KEY
from tests.support.store_proxy import StoreProxy
from tests.support.swift_server import SwiftServer

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

HOUR = 3600.0
SILENT_SERVER = {"TEST_PING_SECONDS": "600"}
"""By its pings nobody would notice within a test that a path is silent."""

CONNECTIONS_OF_ONE = 20
"""Connections of one address: more than a page opens to load the client."""


async def codes(page: Page) -> Any:
    """Return the codes of the errors on the page."""
    return await page.evaluate("seen.errors.map(({ code }) => code)")


async def hear_out(page: Page, audio: bytes) -> None:
    """Hear the rest, fast; check that it is complete, each byte once, and without an error."""
    await page.evaluate("audio.playbackRate = 8")
    await assert_received(page, audio)
    await page.wait_for_function("playback.state === 'ended'")
    assert await codes(page) == []


def note_handshakes(page: Page, handshakes: list[str]) -> None:
    """Add the URL of each Socket.IO connection that the page begins."""

    def note(request: Request | WebSocket) -> None:
        if "EIO=4" in request.url and "sid=" not in request.url:
            handshakes.append(request.url)

    page.on("request", note)
    page.on("websocket", note)


# Temporary errors


def test_a_full_server_is_waited_for_in_mid_stream(start_server: StartServer, pages: Pages) -> None:
    """A listener that was disconnected, and replaced by another one, continues as soon as the server admits it."""
    audio = CLIP.read_bytes()
    server = start_server({"ASF_MAX_LISTENERS": "1", "ASF_STREAM_SLEEP_INTERVAL": "0.1"})
    server.announce("clip", audio)

    def take_the_place() -> WireListener:
        while True:
            other = join(server, "clip", window=1)
            while not any(name in {"audio_control", "stream_error"} for name, _ in other.events):
                other.receive()
            if any(name == "audio_control" for name, _ in other.events):
                return other
            other.close()

    def has_been_rejected() -> bool:
        return server.metric('asf_joins_rejected_total{code="ASF_TOO_MANY_LISTENERS"}') > 0

    async def scenario() -> None:
        proxy = CuttingProxy(server.port, iter([]))
        async with pages.open(server, through=proxy.url, stream="clip") as page:
            await page.click("#play")
            await page.wait_for_function("playback.progress.receivedBytes > 20000")
            await page.context.set_offline(True)
            proxy.cut()
            await page.wait_for_function("client.connection === 'reconnecting'")
            other = await asyncio.to_thread(take_the_place)
            await page.context.set_offline(False)
            await asyncio.to_thread(eventually, has_been_rejected)
            await page.wait_for_function("playback.state === 'stalled'")
            assert await codes(page) == []
            other.close()
            await page.wait_for_function("playback.state === 'playing'")
            await hear_out(page, audio)

    pages.run(scenario())


def test_a_store_that_is_down_at_first_is_tried_again(
    start_server: StartServer, pages: Pages, swift: SwiftServer, store_proxy: StoreProxy
) -> None:
    """Before the first byte too, within a bound; meanwhile it connects."""
    audio = CLIP.read_bytes()
    server = start_server(swift.environment | {"ASF_S3_ENDPOINT_URL": store_proxy.url})
    server.notify("clip", swift.put("clip.mp3", audio)).raise_for_status()
    store_proxy.failures = 1_000_000

    def has_failed() -> bool:
        return server.metric('asf_joins_rejected_total{code="ASF_AUDIO_UNAVAILABLE"}') > 0

    async def scenario() -> None:
        async with pages.open(server, stream="clip") as page:
            await page.click("#play")
            await asyncio.to_thread(eventually, has_failed)
            assert await page.evaluate("playback.state") == "connecting"
            store_proxy.failures = 0
            await page.wait_for_function("playback.state === 'playing'")
            await hear_out(page, audio)

    pages.run(scenario())


def test_it_waits_longer_than_the_server_lets_it(start_server: StartServer, pages: Pages) -> None:
    """A stream that is announced late is heard, after any number of refusals."""
    audio = CLIP.read_bytes()
    server = start_server({"ASF_JOIN_WAIT_SECONDS": "0.2"})

    def rejections() -> bool:
        return server.metric('asf_streams_ended_total{outcome="ASF_STREAM_NOT_FOUND"}') >= 3

    async def scenario() -> None:
        async with pages.open(server, stream="late", options=json.dumps({"wait": True})) as page:
            await page.click("#play")
            await asyncio.to_thread(eventually, rejections)
            assert await page.evaluate("playback.state") == "waiting"
            await asyncio.to_thread(server.announce, "late", audio)
            await hear_out(page, audio)
            assert (await page.evaluate("seen.states"))[0] == "waiting"

    pages.run(scenario())


# Silent paths


def test_a_silent_path_leaves_no_gap_where_there_is_audio_in_store(start_server: StartServer, pages: Pages) -> None:
    """The client notices by itself, and continues on another connection."""
    audio = CLIP.read_bytes()
    server = start_server(SILENT_SERVER, observed=True)
    server.announce("clip", audio)

    async def scenario() -> None:
        proxy = BlackHole(server.port)
        async with pages.open(server, through=proxy.url, stream="clip") as page:
            await page.click("#play")
            await page.wait_for_function("playback.progress.aheadSeconds > 25 && playback.state === 'playing'")
            earlier = await page.evaluate("seen.states.length")
            proxy.silence()
            await page.wait_for_function("seen.controls.filter(([event]) => event === 'start_of_stream').length > 1")
            assert "stalled" not in await page.evaluate(f"seen.states.slice({earlier})")
            await hear_out(page, audio)

    pages.run(scenario())


def test_a_silent_path_at_the_live_edge_is_noticed(start_server: StartServer, pages: Pages) -> None:
    """With nothing in store it is a matter of seconds."""
    audio = CLIP.read_bytes()
    server = start_server(SILENT_SERVER, observed=True)
    path = server.audio_root / "live.mp3"
    path.write_bytes(audio[:50_000])
    server.notify("live", str(path), state="generating").raise_for_status()

    async def scenario() -> None:
        proxy = BlackHole(server.port)
        async with pages.open(server, through=proxy.url, stream="live") as page:
            await page.click("#play")
            await page.wait_for_function("playback.progress.receivedBytes === 50000")
            proxy.silence()
            with path.open("ab") as file:
                file.write(audio[50_000:])
            await page.wait_for_function("playback.progress.receivedBytes > 50000", timeout=1000 * PATIENCE_SECONDS)
            await asyncio.to_thread(server.notify, "live", str(path), state="complete")
            await hear_out(page, audio)

    pages.run(scenario())


def test_a_server_that_has_nothing_to_send_keeps_its_connection(start_server: StartServer, pages: Pages) -> None:
    """A pause of the generation is no silent path: the server answers."""
    audio = CLIP.read_bytes()
    server = start_server(SILENT_SERVER | {"ASF_STALL_SECONDS": "15"}, observed=True)
    path = server.audio_root / "live.mp3"
    path.write_bytes(audio[:20_000])
    server.notify("live", str(path), state="generating").raise_for_status()
    handshakes: list[str] = []

    async def scenario() -> None:
        async with pages.open(server, stream="live") as page:
            note_handshakes(page, handshakes)
            await page.click("#play")
            await page.wait_for_function("playback.progress.receivedBytes === 20000")
            await page.evaluate("void playback.on('status', ({ status }) => (window.lastStatus = status))")
            await page.wait_for_function("window.lastStatus === 'stalled'")
            with path.open("ab") as file:
                file.write(audio[20_000:])
            await asyncio.to_thread(server.notify, "live", str(path), state="complete")
            await hear_out(page, audio)
            assert len(handshakes) == 1

    pages.run(scenario())


@pytest.mark.parametrize("event", ["online", "visibilitychange", "pageshow"])
def test_a_page_that_comes_back_looks_at_once(event: str, start_server: StartServer, pages: Pages) -> None:
    """Paused, with nothing due, a silent path matters to nobody; when the network or the page comes back, it does."""
    server = start_server(SILENT_SERVER, observed=True)
    server.announce("clip", CLIP.read_bytes())
    scripts = {
        "online": "window.dispatchEvent(new Event('online'))",
        "visibilitychange": "document.dispatchEvent(new Event('visibilitychange'))",
        "pageshow": "window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))",
    }

    async def scenario() -> None:
        proxy = BlackHole(server.port)
        async with pages.open(server, through=proxy.url, stream="clip") as page:
            await page.click("#play")
            await page.wait_for_function("playback.progress.aheadSeconds > 25 && playback.state === 'playing'")
            await page.evaluate("playback.pause()")
            await page.wait_for_function("playback.state === 'paused'")
            proxy.silence()
            await page.evaluate(scripts[event])
            again = "seen.connections.join().startsWith('connecting,connected,reconnecting,connected')"
            await page.wait_for_function(again, timeout=1000 * PATIENCE_SECONDS)

    pages.run(scenario())


# One connection


@pytest.mark.parametrize("clips", [12, pytest.param(60, marks=pytest.mark.soak)])
def test_clips_one_after_the_other_share_a_connection(
    clips: int, start_server: StartServer, pages: Pages, audio_files: AudioFiles
) -> None:
    """What has ended gives its connection back, to the next one, and in the end to the server."""
    server = start_server()
    server.announce("mp3", CLIP.read_bytes()[:6000], "short.mp3")
    server.announce("wav", audio_files.read("wav")[:20_000], "short.wav")
    handshakes: list[str] = []

    async def scenario() -> None:
        async with pages.open(server, stream="mp3") as page:
            note_handshakes(page, handshakes)
            await page.click("#play")  # A page that was clicked on may play.
            await page.wait_for_function("playback.state === 'ended'")
            for number in range(clips):
                await page.evaluate(
                    """(stream) => {
                        window.playback = client.play(stream, document.body.appendChild(new Audio()));
                        playback.on("error", ({ error }) => seen.errors.push({ code: error.code }));
                    }""",
                    ["wav", "mp3"][number % 2],
                )
                await page.wait_for_function("playback.state === 'ended'")
            assert await codes(page) == []
            assert len(handshakes) == 1
            assert await page.evaluate("client.connection") == "idle"
            # A seek after the end opens it again.
            await page.evaluate("playback.seek({ bytes: 0 })")
            await page.wait_for_function("client.connection !== 'connecting'")
            await asyncio.to_thread(eventually, lambda: "asf_socketio_connections 0.0" in server.metrics())

    pages.run(scenario())


def test_a_closed_watch_is_closed(server: ServerProcess, pages: Pages) -> None:
    """The next one, on the same connection, receives its own updates and only those."""

    def subscribers(client: str) -> int:
        return int(server.send_ui_update(client, "step", 0).json()["subscribers"])

    handshakes: list[str] = []

    async def scenario() -> None:
        async with pages.open(server) as page:
            note_handshakes(page, handshakes)
            await page.evaluate(
                """() => {
                    window.alice = client.watch("alice");
                    alice.on("update", ({ data }) => seen.updates.push(["alice", data]));
                    alice.on("subscribed", () => (seen.subscribed += 1));
                }"""
            )
            await page.wait_for_function("seen.subscribed === 1")
            await page.evaluate(
                """() => {
                    alice.close();
                    window.bob = client.watch("bob", { history: true });
                    bob.on("update", ({ data }) => seen.updates.push(["bob", data]));
                    bob.on("subscribed", () => (seen.subscribed += 1));
                    bob.on("error", ({ error }) => seen.errors.push({ code: error.code }));
                }"""
            )
            await page.wait_for_function("seen.subscribed === 2")
            assert await asyncio.to_thread(subscribers, "alice") == 0
            await asyncio.to_thread(server.send_ui_update, "bob", "step", 1)
            await page.wait_for_function("seen.updates.length > 0")
            assert await page.evaluate("seen.updates") == [["bob", 1]]
            assert await codes(page) == []
            assert len(handshakes) == 1

    pages.run(scenario())


# Tokens


@pytest.fixture
def guarded(start_server: StartServer) -> ServerProcess:
    """Return a server that requires tokens, with a stream `clip`."""
    server = start_server({"ASF_REQUIRE_TOKENS": "True", "ASF_SECRET_KEY": SECRET_KEY})
    server.announce("clip", CLIP.read_bytes())
    return server


def test_a_promised_token_is_awaited(guarded: ServerProcess, pages: Pages) -> None:
    """For the audio and for the updates; and asked for again before a later join."""
    everything = frozenset({"*"})
    token = JwtTokens(SECRET_KEY).mint(Grant("alice", time.time() + HOUR, everything, everything))

    async def scenario() -> None:
        async with pages.open(guarded, stream="clip", client="alice") as page:
            await page.evaluate(
                """(token) => {
                    window.asked = 0;
                    const answer = async () => {
                        asked += 1;
                        await fetch(location.href);
                        return token;
                    };
                    Object.defineProperty(window, "token", { get: answer });
                }""",
                token,
            )
            await page.click("#watch")
            await page.click("#play")
            await page.wait_for_function("playback.state === 'playing' && seen.subscribed === 1")
            assert await page.evaluate("asked") <= 3
            await hear_out(page, CLIP.read_bytes())

    pages.run(scenario())


@pytest.mark.parametrize(
    "answer", ["async () => 'wrong ' + asked", "() => 'wrong'", "async () => { throw new Error('signed out'); }"]
)
def test_a_function_without_a_valid_token_is_asked_a_few_times(
    answer: str, guarded: ServerProcess, pages: Pages
) -> None:
    """Then it is an error that says so."""

    async def scenario() -> None:
        async with pages.open(guarded, stream="clip") as page:
            await page.evaluate(
                f"""() => {{
                    window.asked = 0;
                    const answer = {answer};
                    Object.defineProperty(window, "token", {{ get: () => (asked += 1, answer()) }});
                }}"""
            )
            await page.click("#play")
            await page.wait_for_function("playback.state === 'failed'")
            assert await codes(page) == ["ASF_UNAUTHORIZED"]
            assert await page.evaluate("asked") <= 12

    pages.run(scenario())


def test_a_watch_without_a_valid_token_ends(guarded: ServerProcess, pages: Pages) -> None:
    """It says so once, gives its connection back, and asks no more."""

    async def scenario() -> None:
        async with pages.open(guarded, client="alice") as page:
            await page.evaluate(
                """() => {
                    window.asked = 0;
                    Object.defineProperty(window, "token", { get: async () => `wrong ${(asked += 1)}` });
                }"""
            )
            await page.click("#watch")
            await page.wait_for_function("seen.errors.length === 1")
            assert await codes(page) == ["ASF_UNAUTHORIZED"]
            assert await page.evaluate("client.connection") == "idle"
            assert await page.evaluate("asked") <= 5

    pages.run(scenario())


# Connections that cannot be made


def test_a_content_security_policy_is_named_at_once(server: ServerProcess, pages: Pages) -> None:
    """Without waiting for a server that the page may not reach."""
    server.announce("blocked", CLIP.read_bytes())

    async def scenario() -> None:
        async with pages.open(server, stream="blocked") as page:
            await page.evaluate(
                """() => {
                    const policy = document.createElement("meta");
                    policy.httpEquiv = "Content-Security-Policy";
                    policy.content = "connect-src 'self'";
                    document.head.append(policy);
                }"""
            )
            await page.click("#play")
            await page.wait_for_function("playback.state === 'failed'", timeout=1000 * PATIENCE_SECONDS)
            assert await codes(page) == ["ASF_CLIENT_CONNECTION_FAILED"]

    pages.run(scenario())


def test_what_is_no_asf_server_is_an_error(server: ServerProcess, pages: Pages, page_server: str) -> None:
    """One that is not there, and one that answers with a page of its own."""
    (nobody,) = free_ports(1)

    async def scenario() -> None:
        async with pages.open(server, through=f"http://127.0.0.1:{nobody}", stream="s") as page:
            await page.evaluate(
                """async (other) => {
                    const { connect } = await import("asf-client");
                    window.elsewhere = connect(other).play("s", new Audio());
                    elsewhere.on("error", ({ error }) => (window.otherError = [error.code, error.details]));
                }""",
                page_server,
            )
            await page.click("#play")
            await page.wait_for_function("playback.state === 'failed' && elsewhere.state === 'failed'")
            assert await codes(page) == ["ASF_CLIENT_CONNECTION_FAILED"]
            assert await page.evaluate("otherError") == [
                "ASF_CLIENT_CONNECTION_FAILED",
                "The response was HTTP 404.",
            ]
            assert await page.evaluate("client.connection") == "idle"

    pages.run(scenario())


def test_a_server_that_refuses_connections_is_quoted(start_server: StartServer, pages: Pages) -> None:
    """Its code is the page's error."""
    server = start_server({"ASF_MAX_CONNECTIONS_PER_IP": str(CONNECTIONS_OF_ONE)})
    server.announce("clip", CLIP.read_bytes())
    # Those who hear it stay, however long this test takes: they have no pings to answer.
    server.notify("growing", str(server.audio_root / "clip.mp3"), state="generating").raise_for_status()

    others: list[requests.Response] = []
    has_failed = asyncio.Event()

    def take_all_connections() -> None:
        while (response := requests.get(server.stream_url("growing"), stream=True, timeout=PATIENCE_SECONDS)).ok:
            others.append(response)
        assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS

    async def keep_it_full() -> None:
        while not has_failed.is_set():  # The browser may close connections of its own.
            await asyncio.to_thread(take_all_connections)
            await asyncio.sleep(0.1)

    async def scenario() -> None:
        async with pages.open(server, stream="clip") as page:
            await asyncio.to_thread(take_all_connections)
            filling = asyncio.create_task(keep_it_full())
            await page.click("#play")
            await page.wait_for_function("playback.state === 'failed'")
            assert await codes(page) == ["ASF_RATE_LIMITED"]
            has_failed.set()
            await filling
            for other in others:
                other.close()
            await page.click("#play")
            await page.wait_for_function("playback.state === 'playing'")

    pages.run(scenario())


def test_another_namespace_is_refused_at_once(server: ServerProcess, pages: Pages) -> None:
    """With the server's words."""

    async def scenario() -> None:
        async with pages.open(server) as page:
            code = await page.evaluate(
                """async (url) => {
                    const { connect } = await import("asf-client");
                    const watch = connect(url, { uiUpdatesNamespace: "/other" }).watch("alice");
                    return new Promise((resolve) => {
                        watch.on("error", ({ error }) => resolve([error.code, error.message]));
                    });
                }""",
                server.url,
            )
            assert code[0] == "ASF_CLIENT_REFUSED"
            assert "/ui_updates" in code[1]

    pages.run(scenario())
