"""A page with nothing but a script tag and the player, in three browser engines: what is heard of it."""

import threading
import time
from pathlib import Path

import pytest

from tests.browser.audio import ToneClips
from tests.browser.hearing import HearingPage
from tests.browser.page_server import serving
from tests.browser.player import AUDIO, PLAYER, page_of, player
from tests.support.fixtures import StartServer

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

SECONDS = 20

BYTES_PER_SECOND = 8000
"""Of the clip: it has 64 kbit/s."""

WRITTEN_SECONDS = (3, 14)
"""How much of the clip there is at first, and before its generation waits for the test."""


def test_a_click_plays_a_podcast_while_it_is_generated(
    page: HearingPage, start_server: StartServer, clips: ToneClips, tmp_path: Path
) -> None:
    """From its beginning to its end, at the pace of its generation; then from its beginning again."""
    server = start_server({})
    audio = clips.read("mp3", SECONDS)
    path = server.audio_root / "demo.mp3"
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text(page_of(server.url, player(stream="demo", wait="")))
    may_end = threading.Event()

    def generate() -> None:
        first, last = (BYTES_PER_SECOND * seconds for seconds in WRITTEN_SECONDS)
        with path.open("wb", buffering=0) as file:
            file.write(audio[:first])
            server.notify("demo", str(path), state="generating").raise_for_status()
            for offset in range(first, last, BYTES_PER_SECOND // 2):
                time.sleep(0.4)
                file.write(audio[offset : offset + BYTES_PER_SECOND // 2])
            may_end.wait()
            file.write(audio[last:])
        server.notify("demo", str(path)).raise_for_status()

    generation = threading.Thread(target=generate)
    with serving(folder) as url:
        page.open_other(f"{url}/index.html", AUDIO)
        page.engine.click("asf-player >>> #play")
        page.wait_for(f"{PLAYER}.state === 'waiting'")
        generation.start()
        try:
            page.hear(0)
            page.hear(4)
            assert page.evaluate(f"{PLAYER}.shadowRoot.getElementById('live').hidden") is False
            page.hear(9)
        finally:
            may_end.set()
            generation.join()
        page.wait_for(f"{PLAYER}.state === 'ended'")
        page.hear(SECONDS - 1)
        page.mark()
        page.engine.click("asf-player >>> #play")
        page.hear(1)
