"""Pages that are isolated from others (COOP and COEP), and embed the audio without CORS."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.browser.audio import CLIP
from tests.browser.chromium import Chromium
from tests.browser.conftest import open_page
from tests.support.fixtures import StartServer

pytestmark = pytest.mark.browser


class IsolatedPage(BaseHTTPRequestHandler):
    """A page whose query is the address of the audio."""

    def do_GET(self) -> None:
        body = f'<audio controls src="{self.path.partition("?")[2]}"></audio>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def page_server() -> Iterator[str]:
    """Return the origin of the page: to browsers it is another site than 127.0.0.1."""
    with ThreadingHTTPServer(("127.0.0.1", 0), IsolatedPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("state", ["complete", "generating"])
@pytest.mark.parametrize("allowed", ["*", "this one", "another one"])
def test_an_isolated_page_embeds_the_audio(
    start_server: StartServer, chromium: Chromium, page_server: str, allowed: str, state: str
) -> None:
    """If its origin is allowed; else the browser does not load it."""
    origins = {"*": "*", "this one": page_server, "another one": "https://app.example"}[allowed]
    server = start_server({"ASF_CORS_ALLOWED_ORIGINS": origins})
    path = server.announce("s", CLIP.read_bytes())
    server.notify("s", str(path), state=state).raise_for_status()

    async def scenario() -> None:
        async with open_page(chromium, f"{page_server}/?{server.stream_url('s')}") as page:
            assert await page.evaluate("crossOriginIsolated")
            outcome = "audio.error ? `error ${audio.error.code}` : audio.readyState > 2 ? 'ready' : ''"
            found = await page.wait_for_function(f"(audio => {outcome})(document.querySelector('audio'))")
            assert await found.json_value() == ("error 4" if allowed == "another one" else "ready")

    chromium.run(scenario())
    server.notify("s", str(path)).raise_for_status()
