"""The browser client in a real browser."""

import asyncio
import json
import re
import time
from itertools import pairwise
from pathlib import Path

import pytest

from asf.adapters.jwt_tokens import JwtTokens
from asf.domain.access.grant import Grant
from tests.browser.audio import CLIP, CLIP_SECONDS, AudioFiles
from tests.browser.pages import Pages, assert_received
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.cutting_proxy import CuttingProxy
from tests.support.fixtures import StartServer
from tests.support.nodes import COUNT, Nodes
from tests.support.processes import ServerProcess, eventually
from tests.support.proxies import HAProxy, HAProxyBelowPath, Nginx, NginxBelowPath, Proxy
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

MOST_SECONDS_AHEAD = 60
HOUR = 3600.0
FIRST_SECONDS = 6
"""Lifetime of a token that expires: shorter than the audio. There is one for each second, and the page uses the first
that has so long to live when it asks, so it may take as long as it likes to connect."""


@pytest.mark.parametrize(
    ("suffix", "output"),
    [
        ("mp3", "mse"),
        ("aac", "mse"),
        ("mp4", "mse"),
        ("webm", "mse"),
        ("wav", "mse"),
        ("stereo.wav", "mse"),
    ],
)
def test_a_click_plays(
    suffix: str, output: str, start_server: StartServer, pages: Pages, audio_files: AudioFiles
) -> None:
    """The playhead advances, there is sound, and the bytes are those of the file, fetched once."""
    audio = audio_files.read(suffix)
    server = start_server({"ASF_STREAM_SLEEP_INTERVAL": "0.001"})
    server.announce("clip", audio, f"clip.{suffix}")

    async def scenario() -> None:
        analyse = {"analyse": ""} if output == "mse" else {}
        async with pages.open(server, stream="clip", **analyse) as page:
            await page.click("#play")
            await page.wait_for_function("playback.progress.currentTime > 1.5")
            await page.wait_for_function("level() > 0.01 && playback.state === 'playing'")
            assert await page.evaluate("playback.output") == output
            # Within the buffer: nothing is fetched twice.
            await page.wait_for_function("playback.progress.aheadSeconds > 25")
            await page.evaluate("playback.seek({ seconds: 25 })")
            await page.wait_for_function("playback.progress.currentTime > 25.5")
            if output == "mse":
                assert await page.evaluate("audio.buffered.length") == 1
            await assert_received(page, audio)
            await page.evaluate("playback.seek({ seconds: 43 })")
            await page.wait_for_function("playback.state === 'ended'")
            assert await page.evaluate("playback.progress.currentTime") == pytest.approx(CLIP_SECONDS, abs=1)
            seen = await page.evaluate("({ ...seen, pieces: null })")
            assert seen["errors"] == []
            assert [event for event, _ in seen["controls"]].count("end_of_stream") == 1
            assert seen["mostAhead"] < MOST_SECONDS_AHEAD

    pages.run(scenario())


@pytest.mark.parametrize("kind", [Nginx, HAProxy])
def test_long_polling_finds_its_node(
    kind: type[Proxy], tmp_path: Path, pages: Pages, audio_files: AudioFiles
) -> None:
    """From another origin, behind a proxy with several nodes: the browser returns its cookie, up to the WebSocket."""
    nodes = Nodes(tmp_path)
    nodes.announce("clip", audio_files.read("mp3"))
    proxy = kind(tmp_path / "proxy", nodes.ports)
    answers = []

    async def scenario() -> None:
        async with pages.open(nodes.all[0], through=proxy.url, stream="clip") as page:
            page.on("response", lambda response: answers.append((response.status, response.url)))
            await page.click("#play")
            await page.wait_for_function("playback.progress.currentTime > 0.5")

    try:
        for _ in range(COUNT):
            pages.run(scenario())
    finally:
        proxy.stop()
        nodes.stop()
    assert any("transport=polling&" in url and "sid=" in url for _, url in answers)
    assert [(status, url) for status, url in answers if status >= 400] == []


@pytest.mark.parametrize("kind", [NginxBelowPath, HAProxyBelowPath])
def test_a_server_below_a_path(
    kind: type[Proxy], tmp_path: Path, server: ServerProcess, pages: Pages, audio_files: AudioFiles
) -> None:
    """The client takes the path from its URL: for Socket.IO, and for the stream's own URL."""
    server.announce("mse", audio_files.read("mp3"), "below.mp3")
    server.announce("url", audio_files.read("m4a"), "below.m4a")
    proxy = kind(tmp_path / "proxy", [server.port])
    asked: list[str] = []

    async def scenario(stream_id: str) -> None:
        async with pages.open(server, through=f"{proxy.url}/audio/", stream=stream_id) as page:
            page.on("request", lambda request: asked.append(request.url))
            await page.click("#play")
            await page.wait_for_function("playback.progress.currentTime > 0.5")

    try:
        for stream_id in ("mse", "url"):
            pages.run(scenario(stream_id))
    finally:
        proxy.stop()
    through = [url for url in asked if url.startswith(proxy.url)]
    assert any("/socket.io/" in url for url in through)
    assert any("/api/v1/podcasts/stream/url" in url for url in through)
    assert all(url.startswith(f"{proxy.url}/audio/") for url in through)


@pytest.mark.parametrize("suffix", ["m4a", "absolute.mp4"])
def test_formats_without_mse_play_by_url(
    suffix: str, server: ServerProcess, pages: Pages, audio_files: AudioFiles
) -> None:
    """By the element itself, from the stream's URL."""
    server.announce("url", audio_files.read(suffix), f"url.{suffix}")

    async def scenario() -> None:
        async with pages.open(server, stream="url") as page:
            await page.click("#play")
            await page.wait_for_function("playback.progress.currentTime > 1")
            assert await page.evaluate("playback.output") == "url"
            assert await page.evaluate("audio.src") == server.stream_url("url")
            await page.evaluate("playback.pause()")
            await page.wait_for_function("playback.state === 'paused' && audio.paused")
            await page.evaluate("playback.resume()")
            await page.wait_for_function("playback.state === 'playing'")
            assert await page.evaluate("seen.errors") == []

    pages.run(scenario())


def test_half_an_hour_stays_within_bounds(server: ServerProcess, pages: Pages) -> None:
    """Never more than a minute ahead, played audio is evicted, and seeking to either end works."""
    audio = CLIP.read_bytes() * 41
    server.announce("long", audio)

    async def scenario() -> None:
        async with pages.open(server, stream="long") as page:
            await page.evaluate("""setInterval(() => {
                const { buffered } = audio;
                if (!buffered.length) return;
                // A page that was kept from its work for a while plays on, and is behind with what it tidies up.
                const now = performance.now();
                window.late = [...(window.late ?? []).slice(-50), now - (window.looked ?? now)];
                window.looked = now;
                const played = audio.playbackRate * Math.max(...late) / 1000;
                // While it seeks, there may be audio where it goes already, and none where it is.
                const at = Array.from({ length: buffered.length }, (_, index) => index).find((index) =>
                    buffered.start(index) <= audio.currentTime && audio.currentTime <= buffered.end(index));
                if (at === undefined) return;
                window.most = Math.max(window.most ?? 0, buffered.end(at) - audio.currentTime);
                window.kept = Math.max(window.kept ?? 0, audio.currentTime - buffered.start(at) - played);
            }, 20)""")
            await page.click("#play")
            await page.wait_for_function("playback.progress.aheadSeconds > 25")
            received = await page.evaluate("playback.progress.receivedBytes")
            assert received < len(audio) / 10
            await page.evaluate("audio.playbackRate = 16")
            await page.wait_for_function("audio.currentTime > 150")
            await page.evaluate("audio.playbackRate = 1")
            await page.evaluate("playback.seek({ seconds: 1500 })")
            await page.wait_for_function("audio.currentTime > 1501 && playback.state === 'playing'")
            await page.evaluate("playback.seek({ seconds: 600 })")
            await page.wait_for_function("audio.currentTime > 601 && audio.currentTime < 700")
            await page.evaluate("playback.seek({ seconds: audio.duration - 8 })")
            await page.evaluate("audio.playbackRate = 4")
            await page.wait_for_function("playback.state === 'ended'")
            # The clip's rate varies slightly around its mean.
            assert await page.evaluate("audio.currentTime") == pytest.approx(41 * CLIP_SECONDS, rel=0.03)
            assert await page.evaluate("audio.buffered.length") == 1
            assert 25 < await page.evaluate("most") < MOST_SECONDS_AHEAD
            assert await page.evaluate("kept") < 20
            assert await page.evaluate("seen.errors") == []

    pages.run(scenario())


@pytest.mark.parametrize("suffix", ["webm", "mp4", "wav"])
def test_seeking_in_a_container(suffix: str, server: ServerProcess, pages: Pages, audio_files: AudioFiles) -> None:
    """It continues at the next boundary at which a decoder can start; and can also start there."""
    audio = audio_files.read(suffix)
    name = f"seek-{suffix}"
    server.announce(name, audio, f"{name}.{suffix}")

    async def scenario() -> None:
        options = json.dumps({"offset": len(audio) * 3 // 4})
        async with pages.open(server, stream=name, options=options) as page:
            await page.click("#play")
            await page.wait_for_function("playback.progress.currentTime > 32 && playback.state === 'playing'")
            first = await page.evaluate("seen.pieces[0][0]")
            assert first == pytest.approx(len(audio) * 3 // 4, abs=8)
            await page.wait_for_function("seen.controls.some(([event]) => event === 'end_of_stream')")
            await page.evaluate("playback.seek({ bytes: 60000 })")
            await page.wait_for_function("playback.progress.currentTime < 25")
            await page.wait_for_function("playback.state === 'playing'")
            assert await page.evaluate("seen.errors") == []

    pages.run(scenario())


def test_a_server_that_is_killed_leaves_no_gap(
    start_server: StartServer, pages: Pages, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """And no repeat: all bytes over all connections are those of the file."""
    audio = CLIP.read_bytes()
    environment = {"ASF_DATABASE": str(tmp_path / "streams.sqlite3")}
    slow = {"ASF_STREAM_SLEEP_INTERVAL": "0.2"}  # So that it is killed in mid-stream.
    # Not `start_server`, which requires a clean exit.
    killed = ServerProcess(tmp_path, environment | slow)
    request.addfinalizer(killed.kill)
    killed.announce("clip", audio)

    async def scenario() -> None:
        async with pages.open(killed, stream="clip") as page:
            await page.click("#play")
            await page.wait_for_function("audio.currentTime > 1 && playback.progress.receivedBytes > 40000")
            await asyncio.to_thread(killed.kill)
            await page.wait_for_function("client.connection === 'reconnecting'")
            restarted = await asyncio.to_thread(start_server, environment | {"ASF_PORT": str(killed.port)})
            assert restarted.port == killed.port
            await page.evaluate("audio.playbackRate = 4")
            await assert_received(page, audio)
            await page.wait_for_function("playback.state === 'ended'")
            starts = [offset for event, offset in await page.evaluate("seen.controls") if event == "start_of_stream"]
            assert starts[0] == 0
            assert 40000 < starts[-1] < len(audio)
            assert await page.evaluate("audio.buffered.length") == 1
            assert await page.evaluate("seen.errors") == []
            # A server that is busy with its start may have been given up once more.
            connections = " ".join(await page.evaluate("seen.connections"))
            assert re.fullmatch("connecting connected( reconnecting connected)+ idle", connections), connections

    pages.run(scenario())


def test_regenerated_audio_is_an_error_of_its_own(server: ServerProcess, pages: Pages) -> None:
    """Typed, with the current epoch."""
    path = server.announce("anew", CLIP.read_bytes(), "first.mp3")
    epoch = server.notify("anew", str(path)).json()["epoch"]
    other = server.announce("anew", CLIP.read_bytes(), "second.mp3")
    current = server.notify("anew", str(other)).json()["epoch"]

    async def scenario() -> None:
        options = json.dumps({"offset": 4096, "epoch": epoch})
        async with pages.open(server, stream="anew", options=options) as page:
            await page.click("#play")
            await page.wait_for_function("playback.state === 'failed'")
            expected = {"name": "EpochChangedError", "code": "ASF_EPOCH_CHANGED", "retryable": True, "epoch": current}
            assert await page.evaluate("seen.errors") == [expected]

    pages.run(scenario())


def test_it_waits_for_a_stream_that_does_not_exist_yet(server: ServerProcess, pages: Pages) -> None:
    """And plays it while it is being generated, through stalls, to its actual end."""
    audio = CLIP.read_bytes()
    path = server.audio_root / "later.mp3"

    async def scenario() -> None:
        async with pages.open(server, stream="later", options=json.dumps({"wait": True})) as page:
            await page.click("#play")
            await page.wait_for_function("playback.state === 'waiting'")
            path.write_bytes(audio[:30_001])
            await asyncio.to_thread(server.notify, "later", str(path), state="generating")
            await page.wait_for_function("playback.state === 'playing'")
            await page.wait_for_function("playback.state === 'stalled'")
            with path.open("ab") as file:
                file.write(audio[30_001:])
            await page.wait_for_function("playback.state === 'playing'")
            await asyncio.to_thread(server.notify, "later", str(path), state="complete")
            await page.evaluate("audio.playbackRate = 8")
            await assert_received(page, audio)
            await page.wait_for_function("playback.state === 'ended'")
            states = await page.evaluate("seen.states")
            assert states[:4] == ["waiting", "buffering", "playing", "stalled"]

    pages.run(scenario())


def test_a_failure_is_an_error(server: ServerProcess, pages: Pages) -> None:
    """With the code of the contract."""

    async def scenario() -> None:
        async with pages.open(server, stream="nowhere") as page:
            await page.click("#play")
            await page.wait_for_function("playback.state === 'failed'")
            assert [error["code"] for error in await page.evaluate("seen.errors")] == ["ASF_STREAM_NOT_FOUND"]

    pages.run(scenario())


def test_missed_updates_are_replayed_once_and_in_order(server: ServerProcess, pages: Pages) -> None:
    """First live ones only; then each, whether connected or not."""
    server.send_ui_update("alice", "step", 0).raise_for_status()

    async def scenario() -> None:
        proxy = CuttingProxy(server.port, iter([]))
        async with pages.open(server, through=proxy.url, client="alice") as page:
            await page.click("#watch")
            await page.wait_for_function("seen.subscribed === 1")
            await asyncio.to_thread(server.send_ui_update, "alice", "step", 1)
            await page.wait_for_function("seen.updates.length === 1")
            await page.context.set_offline(True)
            proxy.cut()
            await page.wait_for_function("client.connection === 'reconnecting'")
            for number in (2, 3, 4):
                await asyncio.to_thread(server.send_ui_update, "alice", "step", number)
            await page.context.set_offline(False)
            await page.wait_for_function("seen.updates.length >= 4")
            await asyncio.to_thread(server.send_ui_update, "alice", "step", 5)
            await page.wait_for_function("seen.updates.length >= 5")
            updates = await page.evaluate("seen.updates")
            assert [data for _, data, _ in updates] == [1, 2, 3, 4, 5]
            assert all(later[2] == earlier[2] + 1 for earlier, later in pairwise(updates))
            assert await page.evaluate("seen.gaps") == 0
            assert await page.evaluate("seen.errors") == []

    pages.run(scenario())


def test_history_is_replayed_on_request(server: ServerProcess, pages: Pages) -> None:
    """With `history`."""
    for number in range(3):
        server.send_ui_update("bob", "step", number).raise_for_status()

    async def scenario() -> None:
        async with pages.open(server, client="bob", options=json.dumps({"history": True})) as page:
            await page.click("#watch")
            await page.wait_for_function("seen.updates.length === 3")
            assert [data for _, data, _ in await page.evaluate("seen.updates")] == [0, 1, 2]

    pages.run(scenario())


def test_a_subscription_during_a_redis_outage_succeeds_afterwards(
    start_server: StartServer, mortal_redis: RedisServer, pages: Pages
) -> None:
    """On the same connection, by a retry."""
    server = start_server({"ASF_REDIS_URL": mortal_redis.url})
    mortal_redis.kill()

    async def scenario() -> None:
        async with pages.open(server, client="frank") as page:
            async with page.expect_websocket() as opened:
                await page.click("#watch")
            await (await opened.value).wait_for_event(
                "framereceived", lambda frame: "ASF_SOCKETIO_EMIT_FAILED" in frame
            )
            await asyncio.to_thread(mortal_redis.start)
            await page.wait_for_function("seen.subscribed === 1")
            await asyncio.to_thread(server.send_ui_update, "frank", "step", 1)
            await page.wait_for_function("seen.updates.length === 1")
            assert await page.evaluate("seen.errors") == []

    pages.run(scenario())


def test_lost_updates_are_a_gap(start_server: StartServer, pages: Pages) -> None:
    """When more were sent than the server keeps."""
    server = start_server({"ASF_UI_HISTORY_SIZE": "1"})

    async def scenario() -> None:
        proxy = CuttingProxy(server.port, iter([]))
        async with pages.open(server, through=proxy.url, client="carol") as page:
            await page.click("#watch")
            await page.wait_for_function("seen.subscribed === 1")
            await page.context.set_offline(True)
            proxy.cut()
            await page.wait_for_function("client.connection === 'reconnecting'")
            for number in range(3):
                await asyncio.to_thread(server.send_ui_update, "carol", "step", number)
            await page.context.set_offline(False)
            await page.wait_for_function("seen.gaps === 1 && seen.subscribed === 2")
            await asyncio.to_thread(server.send_ui_update, "carol", "step", 3)
            await page.wait_for_function("seen.updates.length === 1")

    pages.run(scenario())


def test_a_new_token_replaces_an_expired_one(start_server: StartServer, pages: Pages) -> None:
    """Without a gap in audio or updates, and without an error on the page."""
    key = "a-secret-key-of-thirty-two-or-more-characters"
    audio = CLIP.read_bytes()
    server = start_server({"ASF_REQUIRE_TOKENS": "True", "ASF_SECRET_KEY": key, "ASF_STREAM_SLEEP_INTERVAL": "0.1"})
    server.announce("clip", audio)

    def token(seconds: float) -> str:
        return JwtTokens(key).mint(Grant("alice", time.time() + seconds, frozenset({"clip"}), frozenset({"alice"})))

    async def scenario() -> None:
        async with pages.open(server, stream="clip", client="alice") as page:
            # The page itself switches to the last token as soon as a first one was accepted: a round trip to this
            # process would use up its short lifetime.
            begun = time.time()
            short = [(1000 * (begun + seconds), token(seconds)) for seconds in range(int(PATIENCE_SECONDS))]
            await page.evaluate(
                """([short, seconds, later]) => {
                    const accepted = () => seen.subscribed > 0 && seen.pieces.length > 0;
                    const first = () => short.find(([end]) => end > Date.now() + 1000 * seconds)[1];
                    Object.defineProperty(window, "token", { get: () => (accepted() ? later : first()) });
                    document.getElementById("watch").click();
                    document.getElementById("play").click();
                }""",
                [short, FIRST_SECONDS, token(HOUR)],
            )
            await page.wait_for_function("seen.subscribed > 0 && seen.pieces.length > 0")
            sent = 0
            while not server.metric('asf_streams_ended_total{outcome="ASF_UNAUTHORIZED"}'):
                sent += 1
                await asyncio.to_thread(server.send_ui_update, "alice", "progress", sent)
                await asyncio.sleep(0.05)  # the pace of a backend, not a wait for anything
            await asyncio.to_thread(server.send_ui_update, "alice", "progress", sent + 1)
            await page.evaluate("audio.playbackRate = 8")
            await assert_received(page, audio)
            await page.wait_for_function(f"seen.updates.length === {sent + 1}")
            assert await page.evaluate("seen.updates.map(([, data]) => data)") == list(range(1, sent + 2))
            assert await page.evaluate("seen.errors") == []
            assert await page.evaluate("seen.gaps") == 0

    pages.run(scenario())


def test_pausing_fetches_no_more_than_its_share(server: ServerProcess, pages: Pages) -> None:
    """And resuming continues from there."""
    server.announce("paused", CLIP.read_bytes() * 10)

    async def scenario() -> None:
        async with pages.open(server, stream="paused") as page:
            await page.click("#play")
            await page.wait_for_function("audio.currentTime > 0.5")
            await page.evaluate("playback.pause()")
            await page.wait_for_function("playback.state === 'paused'")
            await page.wait_for_function("playback.progress.aheadSeconds > 25")
            time = await page.evaluate("audio.currentTime")
            await page.evaluate("playback.resume()")
            await page.wait_for_function(f"audio.currentTime > {time} + 0.5")
            assert await page.evaluate("seen.mostAhead") < MOST_SECONDS_AHEAD

    pages.run(scenario())


@pytest.mark.parametrize("suffix", ["mp3", "wav", "ogg"])
def test_pausing_before_the_start_keeps_it_silent(
    suffix: str, server: ServerProcess, pages: Pages, audio_files: AudioFiles
) -> None:
    """With every sink."""
    name = f"early-{suffix}"
    audio = audio_files.read(suffix)

    async def scenario() -> None:
        async with pages.open(server, stream=name, options=json.dumps({"wait": True})) as page:
            await page.click("#play")
            await page.wait_for_function("playback.state === 'waiting'")
            await page.evaluate("playback.pause()")
            await asyncio.to_thread(server.announce, name, audio, f"{name}.{suffix}")
            await page.wait_for_function("playback.state === 'paused' && playback.progress.aheadSeconds > 1")
            await page.evaluate("new Promise((done) => setTimeout(done, 500))")
            assert await page.evaluate("playback.progress.currentTime") == 0
            await page.evaluate("playback.resume()")
            await page.wait_for_function("playback.state === 'playing' && playback.progress.currentTime > 0.5")

    pages.run(scenario())


def test_stopping_leaves_the_stream(server: ServerProcess, pages: Pages) -> None:
    """The server's listener limit allows another one."""
    server.announce("stopped", CLIP.read_bytes() * 10)

    async def scenario() -> None:
        async with pages.open(server, stream="stopped") as page:
            await page.click("#play")
            await page.wait_for_function("audio.currentTime > 0.5")
            # Those of earlier pages have gone.
            await asyncio.to_thread(eventually, lambda: "asf_listeners 1.0" in server.metrics())
            await page.evaluate("playback.stop()")
            await asyncio.to_thread(eventually, lambda: "asf_listeners 0.0" in server.metrics())
            assert await page.evaluate("playback.state") == "ended"
            assert await page.evaluate("audio.getAttribute('src')") is None

    pages.run(scenario())


def test_switching_streams_joins_once(start_server: StartServer, pages: Pages) -> None:
    """Nothing of the stopped playback is sent on the next one's connection."""
    server = start_server({"ASF_STREAM_SLEEP_INTERVAL": "0.02"})  # So that the first one still arrives.
    server.announce("first", CLIP.read_bytes())
    server.announce("second", CLIP.read_bytes())
    sent: list[str] = []

    async def scenario() -> None:
        async with pages.open(server, stream="first", client="alice") as page:
            page.on("websocket", lambda one: one.on("framesent", lambda frame: sent.append(str(frame))))
            await page.click("#watch")  # It keeps the shared connection open.
            await page.click("#play")
            await page.wait_for_function("playback.progress.currentTime > 1")
            # What the page sends is seen once it has gone over to the WebSocket (Engine.IO, packet `upgrade`).
            await asyncio.to_thread(eventually, lambda: "5" in sent)
            await page.evaluate("client.play('second', audio); 0")
            await page.wait_for_function("!audio.paused && audio.currentTime > 0.5")

    pages.run(scenario())
    leave = next(index for index, frame in enumerate(sent) if "leave_stream" in frame)
    events = [name for frame in sent[leave + 1 :] for name in ("join_stream", "audio_ack") if name in frame]
    assert events[0] == "join_stream"
    assert events.count("join_stream") == 1


def test_a_new_watch_is_independent_of_an_ended_one(server: ServerProcess, pages: Pages) -> None:
    """Updates of an ended watch are dropped."""

    async def scenario() -> None:
        async with pages.open(server) as page:
            await page.evaluate("""(async () => {
                window.got = [];
                for (const name of ["dave", "erin"]) {
                    window.last?.close();
                    window.last = client.watch(name);
                    last.on("update", ({ data }) => got.push([name, data]));
                    last.on("gap", () => got.push([name, "gap"]));
                    await new Promise((done) => last.on("subscribed", done));
                }
            })()""")
            for name in ("dave", "erin"):
                await asyncio.to_thread(server.send_ui_update, name, "step", name)
            await page.wait_for_function("got.length > 0")
            await asyncio.to_thread(server.send_ui_update, "erin", "step", "more")
            await page.wait_for_function("got.at(-1)[1] === 'more'")
            assert await page.evaluate("got") == [["erin", "erin"], ["erin", "more"]]

    pages.run(scenario())
