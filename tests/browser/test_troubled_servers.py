"""What a page hears of a server that drains, whose disk fails, or that makes the audio anew."""

import asyncio
import errno
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.audio import CLIP
from tests.browser.pages import Pages
from tests.browser.test_sessions import codes, hear_out
from tests.support.faults import DISK_ERRORS
from tests.support.fixtures import StartServer
from tests.support.fuse_disk import FuseDisk
from tests.support.nodes import Nodes
from tests.support.processes import ServerProcess, eventually
from tests.support.proxies import HAProxy

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

SLOW = {"ASF_STREAM_SLEEP_INTERVAL": "0.2"}
"""So that it happens in mid-stream: a chunk of 4096 bytes takes so long."""

BYTES_PER_SECOND = 6000
"""Of the clip: it has 48 kbit/s."""

STARTS = "seen.controls.filter(([event]) => event === 'start_of_stream')"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FuseDisk]:
    """Return a disk that answers at the end, so that the server stops."""
    disk = FuseDisk(tmp_path)
    yield disk
    disk.recover()


def test_a_restart_in_mid_stream(
    start_server: StartServer, pages: Pages, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The server drains and ends; its successor sends what follows the last byte."""
    audio = CLIP.read_bytes()
    environment = {"ASF_DATABASE": str(tmp_path / "streams.sqlite3"), "ASF_DRAIN_SECONDS": "1", **SLOW}
    draining = ServerProcess(tmp_path, environment)
    request.addfinalizer(draining.kill)
    draining.announce("clip", audio)

    async def scenario() -> None:
        async with pages.open(draining, stream="clip") as page:
            await page.click("#play")
            await page.wait_for_function("audio.currentTime > 1 && playback.progress.receivedBytes > 40000")
            await page.evaluate("void playback.on('status', ({ status }) => (window.lastStatus = status))")
            assert await asyncio.to_thread(draining.stop) == 0
            assert await page.evaluate("window.lastStatus") == "server_draining"
            await asyncio.to_thread(start_server, environment | {"ASF_PORT": str(draining.port)})
            await hear_out(page, audio)
            starts = await page.evaluate(STARTS)
            assert starts[0][1] == 0
            assert 40000 < starts[-1][1] < len(audio)
            assert await page.evaluate("audio.buffered.length") == 1

    pages.run(scenario())


def test_a_server_that_drains_hands_over_to_another_one(pages: Pages, tmp_path: Path) -> None:
    """Behind a proxy, while it plays."""
    audio = CLIP.read_bytes()
    nodes = Nodes(tmp_path, {"ASF_DRAIN_SECONDS": "1", **SLOW})
    nodes.announce("clip", audio)
    proxy = HAProxy(tmp_path / "proxy", nodes.ports)

    async def scenario() -> None:
        async with pages.open(nodes.all[0], through=proxy.url, stream="clip") as page:
            await page.click("#play")
            await page.wait_for_function("audio.currentTime > 1 && playback.progress.receivedBytes > 40000")
            [carrying] = [node for node, count in zip(nodes.all, nodes.listeners(), strict=True) if count]
            assert await asyncio.to_thread(carrying.stop) == 0
            await hear_out(page, audio)
            starts = await page.evaluate(STARTS)
            assert 40000 < starts[-1][1] < len(audio)
            assert await page.evaluate("audio.buffered.length") == 1

    try:
        pages.run(scenario())
    finally:
        proxy.stop()
        nodes.stop()


@DISK_ERRORS
def test_a_disk_that_fails_for_a_while(start_server: StartServer, pages: Pages, disk: FuseDisk) -> None:
    """In mid-stream: what follows is heard when it is back."""
    audio = CLIP.read_bytes()
    server = start_server(SLOW | {"ASF_AUDIO_ROOTS": str(disk.mount_point)}, wrapper=disk.wrapper)
    (disk.source / "clip.mp3").write_bytes(audio)
    server.notify("clip", str(disk.mount_point / "clip.mp3")).raise_for_status()

    def has_failed() -> bool:
        return server.metric('asf_streams_ended_total{outcome="ASF_AUDIO_UNAVAILABLE"}') > 0

    async def scenario() -> None:
        async with pages.open(server, stream="clip") as page:
            await page.click("#play")
            await page.wait_for_function("playback.progress.receivedBytes > 40000 && playback.state === 'playing'")
            disk.fail(errno.EIO)
            await asyncio.to_thread(eventually, has_failed)
            assert await codes(page) == []
            disk.recover()
            await hear_out(page, audio)
            assert await page.evaluate("audio.buffered.length") == 1

    pages.run(scenario())


@pytest.mark.parametrize("kind", ["regenerated", "failed"])
def test_what_arrived_before_is_heard(kind: str, start_server: StartServer, pages: Pages) -> None:
    """When the audio is made anew, or its generation fails, while it is heard; then it is an error, with its code."""
    server = start_server()
    audio = CLIP.read_bytes()
    path = server.audio_root / "first.mp3"
    path.write_bytes(audio[: 20 * BYTES_PER_SECOND])
    server.notify("clip", str(path), state="generating").raise_for_status()

    def end() -> str:
        if kind == "failed":
            server.notify("clip", str(path), state="failed").raise_for_status()
            return ""
        other = server.audio_root / "second.mp3"
        other.write_bytes(audio)
        return str(server.notify("clip", str(other)).json()["epoch"])

    async def scenario() -> None:
        async with pages.open(server, stream="clip") as page:
            await page.click("#play")
            received = f"playback.progress.receivedBytes === {20 * BYTES_PER_SECOND}"
            await page.wait_for_function(f"{received} && audio.currentTime > 1")
            await page.evaluate("audio.playbackRate = 0.5")
            epoch = await asyncio.to_thread(end)
            await asyncio.to_thread(eventually, lambda: "asf_listeners 0.0" in server.metrics())
            # Until it is told it can be paused, and sought in.
            await page.evaluate("playback.pause()")
            assert await page.evaluate("[playback.state, seen.errors]") == ["paused", []]
            await page.evaluate("playback.seek({ seconds: 10 }), playback.resume()")
            await page.wait_for_function("audio.currentTime > 10.5 && playback.state === 'playing'")
            await page.evaluate("audio.playbackRate = 4")
            await page.wait_for_function("playback.state === 'failed'")
            expected = {"regenerated": "ASF_EPOCH_CHANGED", "failed": "ASF_GENERATION_FAILED"}[kind]
            assert await codes(page) == [expected]
            assert "ended" not in await page.evaluate("seen.states")
            assert await page.evaluate("audio.currentTime") == pytest.approx(20, abs=1)
            if epoch:
                assert (await page.evaluate("seen.errors"))[0]["epoch"] == epoch

    pages.run(scenario())


def test_complete_audio_that_is_made_anew_is_heard_to_its_end(start_server: StartServer, pages: Pages) -> None:
    """As it was; a seek that needs more of it is an error."""
    server = start_server(SLOW)
    audio = CLIP.read_bytes()
    server.announce("clip", audio, "first.mp3")

    async def scenario() -> None:
        async with pages.open(server, stream="clip") as page:
            await page.click("#play")
            await page.wait_for_function("playback.progress.receivedBytes > 40000 && playback.state === 'playing'")
            await asyncio.to_thread(server.announce, "clip", audio[::-1], "second.mp3")
            await hear_out(page, audio)
            await page.evaluate("playback.seek({ seconds: 1 })")
            await page.wait_for_function("playback.state === 'failed'")
            assert await codes(page) == ["ASF_EPOCH_CHANGED"]

    pages.run(scenario())


def test_a_stream_that_never_comes(start_server: StartServer, pages: Pages) -> None:
    """Is waited for, until the listener gives up: nothing is left then."""
    server = start_server({"ASF_JOIN_WAIT_SECONDS": "1"})

    def refusals() -> float:
        return server.metric('asf_streams_ended_total{outcome="ASF_STREAM_NOT_FOUND"}')

    def has_left() -> bool:
        return {"asf_listeners 0.0", "asf_socketio_connections 0.0"} <= set(server.metrics().splitlines())

    async def scenario() -> None:
        async with pages.open(server, stream="never", options=json.dumps({"wait": True})) as page:
            await page.click("#play")
            await asyncio.to_thread(eventually, lambda: refusals() >= 2)
            assert await page.evaluate("[playback.state, seen.errors]") == ["waiting", []]
            await page.evaluate("playback.stop()")
            assert await page.evaluate("[playback.state, client.connection]") == ["ended", "idle"]
            await asyncio.to_thread(eventually, has_left)
            before = refusals()
            await page.evaluate("client.close()")
            await asyncio.to_thread(eventually, has_left)
            assert refusals() == before

    pages.run(scenario())
