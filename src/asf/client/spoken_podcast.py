"""Speaks a text as a podcast: uploaded sentence by sentence, with its words as cues, while the voice speaks."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from typing import Any

from asf.client.backend import BackendClient
from asf.client.demo import FIRST_PIECE_SECONDS, WHOLE, Progress, Reporter
from asf.client.errors import AsfClientError
from asf.client.uploading import UploadedAudio
from asf.client.voice import Encoding, SoundEncoder, SpokenSentence, Voice

TITLE_CHARACTERS = 60
"""Longest title that is made of the beginning of a text."""


@dataclass(frozen=True, slots=True)
class SpokenPodcast:
    """What is spoken: `sentences`, as `asf.client.voice.sentences_of` returns them, at least one.

    `pace` is the speed relative to real time at which it is generated.
    """

    sentences: Sequence[str]
    voice: Voice
    encoding: Encoding
    pace: float = 1.0

    def generate(
        self,
        backend: BackendClient,
        stream_id: str,
        client_id: str,
        on_progress: Callable[[Progress], object] = lambda _progress: None,
    ) -> int:
        """Generate the podcast as a voice agent would, and send UI updates as an orchestrator would.

        Each sentence is available to listeners when it is spoken, with a cue for itself and for each of its words,
        about `FIRST_PIECE_SECONDS` before it is due in real time. The client receives the same events as from
        `make_demo_podcast`. Returns the length of the audio in bytes. Raises `VoiceFailed`, `RequestRejected` and
        `ServerUnreachable`.
        """
        reporter = Reporter(backend, client_id, on_progress)
        try:
            metadata = {"title": _title(self.sentences[0]), "artist": self.voice.name}
            with backend.generating(stream_id, content_type=self.encoding.content_type, metadata=metadata) as audio:
                reporter.report(0, "Speaking")
                self._speak(backend, audio, reporter)
        except BaseException as error:
            with suppress(AsfClientError):  # The first error is the one to raise.
                failure = {"stream_id": stream_id, "reason": str(error) or repr(error)}
                backend.send_ui_update(client_id, "task_failed", failure)
            raise
        reporter.report(WHOLE, "Done")
        completed = {"stream_id": stream_id, "total_bytes": audio.total_bytes}
        backend.send_ui_update(client_id, "task_completed", completed)
        return audio.total_bytes

    def _speak(self, backend: BackendClient, audio: UploadedAudio, reporter: Reporter) -> None:
        total, characters = sum(map(len, self.sentences)), 0
        started, seconds = time.monotonic(), 0.0
        encoder: SoundEncoder | None = None
        with closing(self.voice.speak(self.sentences)) as speech, ExitStack() as stack:
            for sentence in speech:
                due = started + (seconds - FIRST_PIECE_SECONDS) / self.pace
                time.sleep(max(0.0, due - time.monotonic()))
                if encoder is None:
                    encoder = stack.enter_context(SoundEncoder(self.encoding, sentence.rate, audio.write))
                # First the cues, so that they are there when the sentence is heard.
                backend.add_cues(audio.stream_id, cues_of(sentence, seconds), epoch=audio.epoch)
                encoder.write(sentence.samples)
                seconds += sentence.seconds
                characters += len(sentence.text)
                reporter.report(min(WHOLE * characters // total, WHOLE - 1), "Speaking")


def cues_of(sentence: SpokenSentence, start: float) -> list[dict[str, Any]]:
    """Return the cues of a sentence that begins at `start`, in seconds: itself, and its words."""
    cues = [_cue("sentence", start, start + sentence.seconds, sentence.text)]
    cues.extend(_cue("word", start + word.start, start + word.end, word.text) for word in sentence.words)
    return cues


def _cue(kind: str, start: float, end: float, text: str) -> dict[str, Any]:
    return {"kind": kind, "start": round(start, 3), "end": round(end, 3), "text": text}


def _title(sentence: str) -> str:
    return sentence if len(sentence) <= TITLE_CHARACTERS else f"{sentence[: TITLE_CHARACTERS - 1].rstrip()}…"
