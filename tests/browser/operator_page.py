"""A server in production whose page for operators is open in a browser."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Literal

import requests
import websocket
from playwright.async_api import Page

from tests.browser.chromium import Chromium
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener, join
from tests.support.fixtures import audio_of
from tests.support.processes import ServerProcess, eventually
from tests.support.secret_values import API_TOKEN, SECRET_KEY

PRODUCTION = {
    "ASF_DEBUG_MODE": "False",
    "ASF_SECRET_KEY": SECRET_KEY,
    "ASF_INTERNAL_API_TOKEN": API_TOKEN,
}
HEADERS = {"Authorization": f"Bearer {API_TOKEN}"}
HOSTILE = '<img src=x onerror="document.title=1"><b>bold'
NARROW, WIDE = 360, 1400

Scheme = Literal["light", "dark"]


def announce(server: ServerProcess, stream_id: str, audio: bytes, name: str) -> None:
    """Announce audio with the token: again while the private Redis of workers is slow."""
    path = server.audio_root / name
    path.write_bytes(audio)
    body = {"stream_id": stream_id, "filepath": str(path)}
    url = f"{server.url}/asf/internal/notify_new_audio"

    def is_announced() -> bool:
        answer = requests.post(url, json=body, headers=HEADERS, timeout=PATIENCE_SECONDS)
        assert answer.status_code in {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}, answer.text
        return answer.status_code == HTTPStatus.OK

    eventually(is_announced)


@contextmanager
def in_production(directory: Path, **settings: str) -> Iterator[ServerProcess]:
    """Run a server in production, with streams, one of which has a name like HTML. Its log has no traceback."""
    server = ServerProcess(directory, PRODUCTION | settings)
    announce(server, "long", audio_of(8_000_000), "long.mp3")
    announce(server, HOSTILE, audio_of(8_000_000), "hostile.mp3")
    yield server
    assert server.stop() == 0, "".join(server.log)
    assert not any("Traceback (" in line for line in server.log), "".join(server.log)


@contextmanager
def listening(server: ServerProcess, stream_id: str) -> Iterator[WireListener]:
    """Listen to a stream, and stay there, while one that read nothing would be dropped after a minute.

    It is sent one byte, answers pings, and asks for no more.
    """
    with closing(join(server, stream_id, window=1)) as listener:
        listener.receive_until("start_of_stream")
        connection = listener.socket
        reader = threading.Thread(target=_read, args=[listener], daemon=True)
        reader.start()
        try:
            yield listener
        finally:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            reader.join(PATIENCE_SECONDS)


def _read(listener: WireListener) -> None:
    with suppress(websocket.WebSocketException, OSError):
        while True:
            listener.receive()


@asynccontextmanager
async def open_page(
    chromium: Chromium, server: ServerProcess, width: int = WIDE, scheme: Scheme = "light"
) -> AsyncIterator[Page]:
    """Open the page. An error in the browser's console fails the test, except for those about responses."""
    context = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    async with chromium.open(f"{server.url}/asf/operator", **context) as (page, problems):

        def note(kind: str, text: str) -> None:
            if kind == "error" and "Failed to load resource" not in text:
                problems.append(text)

        page.on("console", lambda message: note(message.type, message.text))
        yield page


async def sign_in(page: Page, token: str = API_TOKEN) -> None:
    """Sign in, and wait for the answer."""
    await page.wait_for_selector("#sign-in:visible")
    await page.fill("#token", token)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#live[data-state=live]")


async def texts(page: Page, selector: str) -> list[str]:
    """Return the texts of the rows of a table."""
    found: list[str] = await page.eval_on_selector_all(
        f"{selector} tr", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent).join('|'))"
    )
    return found
