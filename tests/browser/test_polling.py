"""Long polling in a browser, whose connections are reset while a poll waits."""

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.browser.chromium import Chromium
from tests.browser.conftest import open_page
from tests.support.fixtures import audio_of
from tests.support.processes import ServerProcess, eventually
from tests.support.resetting_proxy import Loss, ResettingProxy

pytestmark = pytest.mark.browser

RESETS = 20
PIECE_BYTES = 50_000


@pytest.fixture
def proxy(server: ServerProcess) -> Iterator[ResettingProxy]:
    """Return a proxy in front of the server."""
    with closing(ResettingProxy(server.port)) as one:
        yield one


@pytest.mark.parametrize("loss", Loss)
def test_resets_of_the_waiting_poll_lose_nothing(
    server: ServerProcess, proxy: ResettingProxy, chromium: Chromium, page_server: str, loss: Loss
) -> None:
    """Chromium repeats the poll on another connection. Audio and updates arrive whole, in order and once."""
    audio = audio_of(RESETS * PIECE_BYTES)
    path = server.audio_root / f"{loss.name}.mp3"
    path.write_bytes(b"")
    server.notify(loss.name, str(path), state="generating").raise_for_status()
    url = f"{page_server}/polling.html?server={proxy.url}&stream={loss.name}"

    async def scenario() -> None:
        async with open_page(chromium, url) as page:
            await page.wait_for_function("result.subscribed && result.starts === 1")
            for number in range(RESETS):
                await asyncio.to_thread(eventually, lambda: proxy.reset_waiting_poll(loss))
                with path.open("ab") as file:
                    file.write(audio[number * PIECE_BYTES : (number + 1) * PIECE_BYTES])
                server.send_ui_update("alice", "progress", number).raise_for_status()
                await page.wait_for_function(
                    f"result.problems.length || (result.updates.length > {number}"
                    f" && result.bytes === {(number + 1) * PIECE_BYTES})"
                )
            server.notify(loss.name, str(path)).raise_for_status()
            await page.wait_for_function("result.problems.length || result.ended")
            result = await page.evaluate("result")
            assert (result["problems"], result["connects"]) == ([], 2)
            assert result["updates"] == list(range(RESETS))
            assert await page.evaluate("window.sha256()") == hashlib.sha256(audio).hexdigest()

    chromium.run(scenario())
    assert proxy.resets == RESETS
