"""What is heard, in three browser engines: tone-coded clips in all formats, complete and while they grow."""

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


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_click_is_heard_to_the_true_end(
    engine: Engine, suffix: str, start_server: StartServer, page_server: str, clips: AudioFiles
) -> None:
    """From the first second on, and where one seeks to: back, forward, beyond the buffer."""
    server = start_server({})
    server.announce("clip", clips.read(suffix), f"clip.{suffix}")
    open_page(engine, page_server, server, "clip")
    engine.click("#play")
    hear(engine, 0)
    hear(engine, 2)
    engine.evaluate("playback.seek({ seconds: 20 })")
    hear(engine, 20)
    engine.evaluate("playback.seek({ seconds: 5 })")
    hear(engine, 5)
    engine.evaluate(f"playback.seek({{ seconds: {SECONDS - 4} }})")
    hear(engine, SECONDS - 4)
    hear(engine, SECONDS - 1)
    engine.wait_for("playback.state === 'ended'", watched="seen")
    seen = engine.evaluate("({ ...seen, output: playback.output })")
    assert (seen["errors"], seen["problems"]) == ([], [])
    print(engine.name, suffix, seen["output"], round(seen["firstSoundAt"] - seen["clickedAt"]))
