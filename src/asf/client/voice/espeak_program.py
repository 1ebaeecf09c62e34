"""Speaks with the library of eSpeak NG, which tells when each word begins. A program of its own.

The library keeps its state in globals, so each podcast has a process. Needs the standard library only.

    python -m asf.client.voice.espeak_program "A text."

prints its words as cues, in JSON to be posted to a stream.

    python espeak_program.py --serve en

speaks the sentences that it reads, one a line as JSON. For each it writes a line of JSON, and then the samples: 16
bits, one channel.
"""

import ctypes
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

LIBRARIES = (
    "libespeak-ng.so.1",
    "libespeak-ng.1.dylib",
    "/opt/homebrew/lib/libespeak-ng.1.dylib",
    "libespeak-ng.dll",
)

# From espeak-ng/speak_lib.h
OUTPUT_SYNCHRONOUS = 2
POSITION_CHARACTER = 1
CHARACTERS_UTF8 = 1
EVENT_LIST_TERMINATED = 0
EVENT_WORD = 1
RATE, PITCH = 1, 3
SUCCESS = 0


class _Event(ctypes.Structure):
    """`espeak_EVENT`."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # in characters, from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """The library, with a voice such as `en` or `de`. `words_per_minute` and `pitch` (0 to 100) may be set.

    Raises OSError without the library, and ValueError if it has no such voice.
    """

    def __init__(self, voice: str, words_per_minute: int | None = None, pitch: int | None = None) -> None:
        self._library = _load()
        self.rate: int = self._library.espeak_Initialize(OUTPUT_SYNCHRONOUS, 0, None, 0)
        if self.rate <= 0:
            raise OSError("eSpeak NG cannot be initialized.")
        if self._library.espeak_SetVoiceByName(voice.encode()) != SUCCESS:
            raise ValueError(f"eSpeak NG has no voice {voice!r}. `espeak-ng --voices` lists them.")
        for parameter, value in ((RATE, words_per_minute), (PITCH, pitch)):
            if value is not None:
                self._library.espeak_SetParameter(parameter, value, 0)
        self._samples = bytearray()
        self._begun: list[tuple[int, int]] = []
        self._callback = _CALLBACK(self._take)  # The library keeps no reference.
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str) -> tuple[bytes, list[tuple[float, float, str]]]:
        """Return the samples of a text, and its words with their punctuation, start and end in seconds."""
        self._samples.clear()
        self._begun.clear()
        encoded = text.encode() + b"\0"
        flags = CHARACTERS_UTF8
        size = ctypes.c_size_t(len(encoded))
        if self._library.espeak_Synth(encoded, size, 0, POSITION_CHARACTER, 0, flags, None, None) != SUCCESS:
            raise OSError("eSpeak NG cannot speak this text.")
        seconds = len(self._samples) / 2 / self.rate
        begun = [(position, sample / self.rate) for position, sample in self._begun]
        return bytes(self._samples), words_of(text, begun, seconds)

    def _take(self, samples: int | None, count: int, events: Any) -> int:
        """Take what the library has synthesized: `count` samples, and events."""
        if samples and count > 0:
            self._samples += ctypes.string_at(samples, 2 * count)
        index = 0
        while events[index].type != EVENT_LIST_TERMINATED:
            if events[index].type == EVENT_WORD:
                self._begun.append((events[index].text_position - 1, events[index].sample))
            index += 1
        return 0


def words_of(text: str, begun: Sequence[tuple[int, float]], seconds: float) -> list[tuple[float, float, str]]:
    """Return the words of `text`, which spaces separate, with their times.

    `begun` are positions in `text` in characters, in order, with the seconds at which what is there begins. A voice
    may divide a word, such as a number: it begins with its first part. What is not spoken, such as a dash, belongs to
    the word before. `seconds` is the end of the last word.
    """
    starts: list[tuple[float, str]] = []
    position = index = 0
    for word in text.split():
        position = text.index(word, position)
        end = position + len(word)
        start: float | None = None
        while index < len(begun) and begun[index][0] < end:
            if start is None:
                start = begun[index][1]
            index += 1
        position = end
        if start is not None or not starts:
            starts.append((start or 0.0, word))
        else:
            starts[-1] = (starts[-1][0], f"{starts[-1][1]} {word}")
    ends = [start for start, _ in starts[1:]] + [seconds]
    return [(start, max(start, end), word) for (start, word), end in zip(starts, ends, strict=True)]


def _load() -> Any:
    for name in LIBRARIES:
        with suppress(OSError):
            return ctypes.CDLL(name)
    raise OSError("The library of eSpeak NG is not installed.")


def _serve(espeak: Espeak) -> None:
    """Speak each line of standard input, until it ends."""
    for line in sys.stdin.buffer:
        samples, words = espeak.speak(json.loads(line))
        header = {"rate": espeak.rate, "bytes": len(samples), "words": words}
        sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + samples)
        sys.stdout.buffer.flush()


def main(arguments: Sequence[str]) -> int:
    """Run the program. Returns its exit code."""
    try:
        match arguments:
            case ["--serve", voice]:
                _serve(Espeak(voice))
            case [text]:
                _, words = Espeak("en").speak(text)
                cues = [{"kind": "word", "start": start, "end": end, "text": word} for start, end, word in words]
                json.dump({"cues": cues}, sys.stdout)
            case _:
                sys.stderr.write("Usage: espeak_program (TEXT | --serve VOICE)\n")
                return 2
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
