"""Implements `Voice` with Piper."""

import io
import subprocess
import wave
from collections.abc import Generator, Sequence
from pathlib import Path

from asf.client.voice.speech import BYTES_PER_SAMPLE, SpokenSentence, VoiceFailed, Word


class PiperVoice:
    """Speaks with the program at `program` and the voice in the file `model`, an `.onnx`.

    Piper does not tell when words begin: their times are the duration of the sentence, divided in proportion to their
    lengths in letters. In long sentences they can be half a second off.
    """

    name = "Piper"

    def __init__(self, program: str, model: Path) -> None:
        self._program = program
        self._model = model

    def speak(self, sentences: Sequence[str]) -> Generator[SpokenSentence, None, None]:
        """Yield each sentence as soon as it is spoken. See `Voice.speak`."""
        for sentence in sentences:
            yield self._spoken(sentence)

    def _spoken(self, sentence: str) -> SpokenSentence:
        command = [self._program, "--model", str(self._model), "--output_file", "-"]
        try:
            done = subprocess.run(command, input=sentence.encode() + b"\n", capture_output=True, check=False)  # noqa: S603
            with wave.open(io.BytesIO(done.stdout)) as audio:
                if audio.getnchannels() != 1 or audio.getsampwidth() != BYTES_PER_SAMPLE:
                    raise VoiceFailed("Piper returned audio of another format than 16 bits, one channel.")
                samples, rate = audio.readframes(audio.getnframes()), audio.getframerate()
        except (OSError, EOFError, wave.Error) as error:
            lines = [] if isinstance(error, OSError) else done.stderr.decode(errors="replace").split("\n")
            reason = next((line for line in reversed(lines) if line.strip()), str(error))
            raise VoiceFailed(f"Piper has failed: {reason}") from error
        seconds = len(samples) / BYTES_PER_SAMPLE / rate
        return SpokenSentence(sentence, samples, rate, proportional_words(sentence, seconds))


def proportional_words(sentence: str, seconds: float) -> tuple[Word, ...]:
    """Return the words of a sentence that lasts `seconds`, each for as long as its share of the characters."""
    words = sentence.split()
    total = sum(len(word) + 1 for word in words)
    result, before = [], 0
    for word in words:
        after = before + len(word) + 1
        result.append(Word(seconds * before / total, seconds * after / total, word))
        before = after
    return tuple(result)
