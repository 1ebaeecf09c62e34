"""What is heard of tone-coded clips, in three browser engines and all formats: a row of docs/browsers.md each."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tests.browser.audio import ToneClips
from tests.browser.engines import Engine, PageError
from tests.browser.hearing import HearingPage
from tests.support.fixtures import StartServer
from tests.support.processes import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built_client")]

SECONDS = 60
"""More than a browser has ahead, which is 30 s, and than it keeps of what was heard."""

WRITTEN = 0.97
"""Share of a growing clip that there is until its last seconds are about to be heard."""

FORMATS = {
    "mp3": "MP3",
    "aac": "AAC (ADTS)",
    "mp4": "AAC in fragmented MP4",
    "webm": "Opus in WebM",
    "ogg": "Opus in Ogg",
    "flac": "FLAC",
    "wav": "WAV",
    "m4a": "AAC in MP4, not fragmented",
}

WHOLE_ONLY = {"m4a"}
"""Formats that cannot be played before they are complete."""

CASES = [
    (suffix, growing) for suffix in FORMATS for growing in (False, True) if not (growing and suffix in WHOLE_ONLY)
]


@dataclass
class Row:
    """What an engine did with a format. None: it did not get so far."""

    engine: str
    format: str
    growing: bool
    route: str | None = None
    first_sound_seconds: float | None = None
    seek: bool = False
    end: bool = False


@pytest.fixture
def row(request: pytest.FixtureRequest, engine: Engine, suffix: str, growing: bool) -> Iterator[Row]:
    """Return a row of the table, which is written at the end of the test, however that ends."""
    row = Row(engine.name, FORMATS[suffix], growing)
    yield row
    path: Path | None = request.config.option.browsers
    if path is not None:
        with path.open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")


def play(page: HearingPage, server: ServerProcess, audio: bytes, row: Row, suffix: str) -> None:
    """Play from a click on, where the playback is sent, and to the true end."""
    written = int(len(audio) * WRITTEN) if row.growing else len(audio)
    path = server.audio_root / f"{server.port}.{suffix}"
    path.write_bytes(audio[:written])
    server.notify("clip", str(path), state="generating" if row.growing else "complete").raise_for_status()
    page.play(server)
    page.hear(0)
    row.first_sound_seconds = page.evaluate("(seen.firstSoundAt - seen.clickedAt) / 1000")
    row.route = page.evaluate("playback.output")
    page.hear(2)
    page.seek(20.5)
    page.seek(8.5)
    page.seek(45.5)  # Beyond what is ahead in the browser.
    page.seek(12.5)  # And before what it has kept.
    page.seek(56.5)
    row.seek = True
    if row.growing:
        with path.open("ab") as file:
            file.write(audio[written:])
        server.notify("clip", str(path), state="complete").raise_for_status()
    heard = page.end(SECONDS)
    row.end = True
    last = [second for second in heard if second >= 56]
    assert last == list(range(last[0], SECONDS))


@pytest.mark.parametrize(("suffix", "growing"), CASES)
def test_it_plays(
    page: HearingPage, suffix: str, growing: bool, row: Row, start_server: StartServer, clips: ToneClips
) -> None:
    """From a click on, where it is told to, and to the true end; complete and growing."""
    audio = clips.read(suffix, SECONDS)
    assert row.growing == growing
    try:
        play(page, start_server({}), audio, row, suffix)
    except PageError:
        # Once, as a player that is right may die.
        if not page.is_dead():
            raise
        play(page, start_server({}), audio, row, suffix)
