"""Pages in one of the engines, of which a test hears what they play: by the second of a tone-coded clip."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.browser.engines import Engine
from tests.support.processes import ServerProcess

HEARING = Path(__file__).with_name("hearing.js").read_text()

LATE_SECONDS = {"chromium": 1, "firefox": 1, "webkit": 4}
"""How many seconds after the one asked for may be the first that is heard. A seek may be shortly before the end of
its second; WebKitGTK also drops what its sound device was too late for, which a busy machine is."""

CLOCK_SECONDS = 1.5
"""How far the playback's clock may be from the middle of the second that is heard: half a second, as a second is
heard from its beginning to its end, and a frame, a page or a sound device's buffer."""

END_SECONDS = 1.0
"""How far from the length of a clip it may end: encoders add silence, and some browsers estimate the length of audio
that does not tell it."""


class HearingPage:
    """A page in an engine, which counts as heard what is heard after the last `mark`, or since it was opened."""

    def __init__(self, engine: Engine, page_server: str) -> None:
        self.engine = engine
        self._page_server = page_server

    def open(self, server: ServerProcess, **query: str) -> None:
        """Open engine.html for the stream `clip` of the server. `query` is described there."""
        ears = {} if self.engine.ears is None else {"ears": self.engine.ears}
        whole = {"server": server.url, "stream": "clip", **ears, **query}
        self.engine.open(f"{self._page_server}/engine.html?{urlencode(whole)}")
        self.engine.wait_for("window.ready")

    def play(self, server: ServerProcess, **query: str) -> None:
        """Open that page, and click."""
        self.open(server, **query)
        self.engine.click("#play")

    def open_other(self, url: str, element: str) -> None:
        """Open any page, and hear the audio element that an expression names, from the first click on."""
        self.engine.open(url)
        self.engine.wait_for(f"{element} !== undefined")
        self.engine.evaluate(f"void (0, eval)({json.dumps(HEARING)})")
        if self.engine.ears is not None:
            self.engine.evaluate(f"hearDevice({json.dumps(self.engine.ears)})")
        else:
            self.engine.evaluate("prepareHearing()")
            hear = f"() => hearElement({element}), {{ capture: true, once: true }}"
            self.engine.evaluate(f"document.addEventListener('click', {hear})")

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression (or of its promise) in the page, as JSON."""
        return self.engine.evaluate(expression)

    def wait_for(self, expression: str) -> None:
        """Wait until an expression is true in the page; if it does not become so, say what the page knows."""
        self.engine.wait_for(expression, watched="window.told?.() ?? seen")

    def mark(self, then: str = "null") -> None:
        """Count only what is heard from now on, and evaluate an expression."""
        self.engine.evaluate(f"(mark(), {then})")

    def hear(self, second: int, *, early: int = 0, late: int | None = None, clock: bool = False) -> None:
        """Wait until that second is heard, or one that is no more than `early` before it, or `late` after it.

        With `clock`, the playback must say that it is there.
        """
        late = LATE_SECONDS[self.engine.name] if late is None else late
        tolerance = str(CLOCK_SECONDS) if clock else "Infinity"
        self.wait_for(f"wasHeard({second - early}, {second + late}, {tolerance})")

    def seek(self, seconds: float, *, early: int = 0) -> None:
        """Seek there, and wait until that second is heard, and the clock says so."""
        self.mark(f"playback.seek({{ seconds: {seconds} }})")
        self.hear(int(seconds), early=early, clock=True)

    def end(self, seconds: int) -> list[int]:
        """Wait for the end of a clip of that length, without errors; return the seconds that were heard."""
        self.wait_for("playback.state === 'ended'")
        # What is heard is behind the element.
        self.wait_for(f"seen.heard.at(-1) === {seconds - 1}")
        assert abs(self.evaluate("playback.progress.currentTime") - seconds) < END_SECONDS
        self.check_errors()
        heard: list[int] = self.evaluate("seen.heard")
        return heard

    def is_dead(self) -> bool:
        """Whether the browser's player has died: silent since the last mark, though it says that it plays.

        WebKitGTK's does after one seek of about a hundred. No pause and no other seek helps; opening a page does.
        """
        is_silent = "seen.heard.length === marked() && !audio.paused && !audio.seeking && audio.readyState >= 3"
        return self.engine.name == "webkit" and bool(self.evaluate(is_silent))

    def check_errors(self) -> None:
        """Check that there was no error: of the playback, or of the page."""
        assert self.evaluate("[seen.errors, seen.problems]") == [[], []]
