"""Generates the spoken demo clip and its cues. Needs the Debian packages espeak-ng and ffmpeg."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

from asf.client.voice.espeak_program import Espeak

ROOT = Path(__file__).parents[1]
CLIP = ROOT / "demo" / "welcome.mp3"
CUES = ROOT / "src" / "asf" / "client" / "welcome_cues.json"

HOST, GUEST = ("gmw/en", 45), ("gmw/en-US+f3", 60)
"""Names of voices, and their pitch."""

SENTENCES = (
    (HOST, "Welcome to the shortest podcast about podcasts. I am your host."),
    (GUEST, "And I am your guest. What are we talking about today?"),
    (
        HOST,
        (
            "About the moment between pressing play and hearing something. "
            "Usually, you wait until the whole episode has been made."
        ),
    ),
    (
        GUEST,
        (
            "But this episode is still being made! "
            "The next sentence does not exist yet, and you can already hear this one."
        ),
    ),
    (
        HOST,
        "That is what an audio stream feeder does. It sends each second of sound as soon as that second exists.",
    ),
    (GUEST, "And when the train goes into a tunnel?"),
    (HOST, "Then it remembers the very byte at which you stopped listening, and goes on from there."),
    (GUEST, "Nothing lost, and nothing twice. Thank you for listening."),
)

CHAPTERS = {0: "Welcome", 2: "Heard while it is made", 5: "Into the tunnel"}
"""Names of chapters, by the number of the sentence with which each begins."""

WORDS_PER_MINUTE = 158
PAUSES = (0.35, 0.313)
"""Seconds before and after each sentence."""


def main() -> None:
    """Write the clip and its cues."""
    sound, cues = b"", list[dict[str, Any]]()
    rate = 0
    starts = []
    for (voice, pitch), text in SENTENCES:
        espeak = Espeak(voice, WORDS_PER_MINUTE, pitch)
        rate = espeak.rate
        samples, words = espeak.speak(text)
        before, after = (bytes(2 * round(seconds * rate)) for seconds in PAUSES)
        start = len(sound + before) / 2 / rate
        starts.append(start)
        cues.append(_cue("sentence", start, start + len(samples) / 2 / rate, text))
        cues += [_cue("word", start + begin, start + end, word) for begin, end, word in words]
        sound += before + samples + after
    starts[0] = 0.0
    ends = [*(starts[number] for number in list(CHAPTERS)[1:]), len(sound) / 2 / rate]
    chapters = [
        _cue("chapter", starts[number], end, name) for (number, name), end in zip(CHAPTERS.items(), ends, strict=True)
    ]
    lines = ",\n".join(json.dumps(cue) for cue in sorted(chapters + cues, key=lambda cue: cue["start"]))
    CUES.write_text(f"[\n{lines}\n]\n")
    _encode(sound, rate)


def _cue(kind: str, start: float, end: float, text: str) -> dict[str, Any]:
    return {"kind": kind, "start": round(start, 3), "end": round(end, 3), "text": text}


def _encode(sound: bytes, rate: int) -> None:
    source = f"ffmpeg -loglevel error -y -f s16le -ar {rate} -ac 1 -i -"
    target = "-af loudnorm=I=-18:TP=-2 -ar 22050 -ac 1 -c:a libmp3lame -b:a 48k"
    tags = "-map_metadata -1 -metadata title=Welcome -metadata artist='Audio Stream Feeder'"
    command = shlex.split(f"{source} {target} {tags}")
    subprocess.run([*command, str(CLIP)], input=sound, check=True)  # noqa: S603 - the command of this file


if __name__ == "__main__":
    main()
