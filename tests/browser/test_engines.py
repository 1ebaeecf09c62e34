"""What is heard of tone-coded clips, in three browser engines and all formats."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.browser.audio import AudioFiles, tones
from tests.browser.engines import ENGINES, Engine, running
from tests.support.fixtures import StartServer
from tests.support.processes import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

SECONDS = 40

FORMATS = ["mp3", "aac", "mp4", "webm", "ogg", "flac", "wav"]


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Return a running browser of each engine."""
    with running(request.param) as engine:
        yield engine


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> AudioFiles:
    """Return the tone-coded clip in all formats."""
    return AudioFiles(tmp_path_factory.mktemp("tones"), tones(SECONDS))


def open_page(engine: Engine, page_server: str, server: ServerProcess, stream: str, **more: str) -> None:
    """Open the page that hears what it plays."""
    engine.open(f"{page_server}/engine.html?{urlencode({'server': server.url, 'stream': stream, **more})}")
    engine.wait_for("window.ready")


def hear(engine: Engine, second: int) -> None:
    """Wait until that second of the clip, or the next one, is heard."""
    engine.wait_for(f"[{second}, {second + 1}].includes(heardSecond())", watched="seen")


@pytest.mark.soak
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_click_is_heard(
    engine: Engine, suffix: str, start_server: StartServer, page_server: str, clips: AudioFiles
) -> None:
    """From the first second on."""
    server = start_server({})
    server.announce("clip", clips.read(suffix), f"clip.{suffix}")
    open_page(engine, page_server, server, "clip")
    engine.click("#play")
    hear(engine, 0)
    hear(engine, 2)
    assert engine.evaluate("seen.errors") == []
