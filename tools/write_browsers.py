"""Writes docs/browsers.md from what the browser engines did in a test run.

Usage: python tools/write_browsers.py ROWS.jsonl
"""

import json
import sys
from pathlib import Path
from typing import Any

BROWSERS = Path(__file__).parents[1] / "docs" / "browsers.md"

TEXT = """# Browsers

What the browser client plays in three engines. `make browsers` writes this page: in each engine it plays a clip
whose tone tells which second is *heard*, in each format, complete and while it is being generated. It starts at a
click, seeks forward and back within what the browser has buffered and beyond, and plays to the end.

| engine | format | audio | route | first sound after the click | seeks | plays to the true end |
|---|---|---|---|---|---|---|
{rows}

- **Route**: `mse` is Media Source, natively or rewrapped by the client; `pcm` is Web Audio; `url` is the element
  with the stream's URL.
- **Engines**: Chromium and Firefox ESR of Debian, WebKitGTK for Safari. First sounds: one run on two busy cores.
- **MP3 in WebKitGTK** is sometimes silent for up to 6 s after a seek, while its clock runs: in 1 of 10 runs of the
  test on an idle machine, in half of them on a busy one. The engine drops what its sound device is too late for.
- **no**: it does not; `asf-client` reports an error.

Not tested, for want of the devices and encoders:

- **iPhones and iPads.** ManagedMediaSource is played for real in WebKitGTK, and emulated in Chromium and Firefox;
  the rule that only a tap starts sound is emulated in all three. Safari itself, AirPlay, calls and the silent switch
  are not tested.
- **Keys of a lock screen or a headset.** The actions that the page registers are called by script.
- **HE-AAC.** Debian's ffmpeg does not encode it. AAC-LC is what is played here.
- **Frozen pages.** The events of a freeze are sent by script, and the process of the page is stopped; the browser's
  own decision to freeze is not provoked. A page that was kept for the way back is tested in Chromium and WebKitGTK;
  under these tests Firefox loads it again.
"""

ANSWERS = {True: "yes", False: "**no**"}
ENGINES = {"chromium": "Chromium", "firefox": "Firefox", "webkit": "WebKitGTK"}


def browsers(rows: list[dict[str, Any]]) -> str:
    """Return the document about what was seen."""
    return TEXT.format(rows="\n".join(_line(row) for row in sorted(rows, key=_order)))


def _order(row: dict[str, Any]) -> tuple[int, str, bool]:
    return list(ENGINES).index(row["engine"]), row["format"], row["growing"]


def _line(row: dict[str, Any]) -> str:
    first_sound = row["first_sound_seconds"]
    cells = [
        ENGINES[row["engine"]],
        row["format"],
        "being generated" if row["growing"] else "complete",
        "**no**" if row["route"] is None else f"`{row['route']}`",
        "**no**" if first_sound is None else f"{first_sound:.1f} s",
        ANSWERS[row["seek"]],
        ANSWERS[row["end"]],
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    lines = Path(sys.argv[1]).read_text().splitlines()
    BROWSERS.write_text(browsers([json.loads(line) for line in lines]))
