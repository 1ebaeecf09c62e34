"""Implements `Voice` with eSpeak NG."""

import json
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

from asf.client.voice.pipes import PipeReader, write_all
from asf.client.voice.speech import SpokenSentence, VoiceFailed, Word

PROGRAM = Path(__file__).with_name("espeak_program.py")


class EspeakVoice:
    """Speaks with the voice of that name: a language, such as `en`, or another one of `espeak-ng --voices`.

    The times of words are those at which eSpeak NG begins them, exact to the sample.
    """

    name = "eSpeak NG"

    def __init__(self, voice: str = "en") -> None:
        self._voice = voice

    def speak(self, sentences: Sequence[str]) -> Generator[SpokenSentence, None, None]:
        """Yield each sentence as soon as it is spoken. See `Voice.speak`."""
        command = [sys.executable, "-I", str(PROGRAM), "--serve", self._voice]
        with subprocess.Popen(  # noqa: S603 - this Python and this package
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        ) as process:
            output = PipeReader(process.stdout)
            try:
                for sentence in sentences:
                    yield self._spoken(process, output, sentence)
            finally:
                process.kill()

    @staticmethod
    def _spoken(process: "subprocess.Popen[bytes]", output: PipeReader, sentence: str) -> SpokenSentence:
        try:
            write_all(process.stdin, json.dumps(sentence).encode() + b"\n")
            line = output.line()
        except BrokenPipeError:
            line = b""
        header = json.loads(line or b'{"bytes": 1}')
        samples = output.exactly(header["bytes"])
        if len(samples) < header["bytes"]:
            reason = PipeReader(process.stderr).rest().decode(errors="replace").strip()
            raise VoiceFailed(reason or f"eSpeak NG has ended with {process.wait()}.")
        return SpokenSentence(sentence, samples, header["rate"], tuple(Word(*word) for word in header["words"]))
