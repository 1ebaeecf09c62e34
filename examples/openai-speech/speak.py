"""Speaks a text with an OpenAI-compatible speech API. Browsers hear and read it while it is generated.

    python speak.py STREAM_ID "A text. With sentences."

Environment: OPENAI_BASE_URL and OPENAI_API_KEY of the speech API, or of a server on your machine that has the same
route; SPEECH_MODEL and SPEECH_VOICE; ASF_URL and ASF_INTERNAL_API_TOKEN of ASF.
"""

import os
import re
import struct
import sys
from collections.abc import Iterator

import requests

from asf.client import BackendClient

SPEECH_URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/audio/speech"
API_KEY = os.environ.get("OPENAI_API_KEY", "")
MODEL = os.environ.get("SPEECH_MODEL", "gpt-4o-mini-tts")
VOICE = os.environ.get("SPEECH_VOICE", "alloy")
ASF_URL = os.environ.get("ASF_URL", "http://127.0.0.1:5006")
ASF_TOKEN = os.environ.get("ASF_INTERNAL_API_TOKEN")

# The format `pcm` of the speech API: 24 kHz, 16 bits, mono. So the length of the audio is its duration, exactly.
BYTES_PER_SECOND = 48_000
WAV_HEADER = struct.pack(
    "<4sI4s4sIHHIIHH4sI", b"RIFF", 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 1, 24_000, 48_000, 2, 16, b"data", 0xFFFFFFFF
)


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text, by its punctuation."""
    return re.split(r"(?<=[.!?])\s+", text.strip())


def speech(sentence: str) -> Iterator[bytes]:
    """Yield the audio of a sentence as the speech API generates it."""
    request = {"model": MODEL, "voice": VOICE, "input": sentence, "response_format": "pcm"}
    headers = {"Authorization": f"Bearer {API_KEY}"}
    with requests.post(SPEECH_URL, json=request, headers=headers, stream=True, timeout=60) as response:
        response.raise_for_status()
        yield from response.iter_content(None)


def speak(stream_id: str, text: str) -> None:
    """Upload a text as it is spoken. If the speech API fails, the stream has failed with that reason."""
    with (
        BackendClient(ASF_URL, token=ASF_TOKEN) as backend,
        backend.generating(stream_id, content_type="audio/wav") as audio,
    ):
        audio.write(WAV_HEADER)
        for sentence in sentences_of(text):
            start = (audio.total_bytes - len(WAV_HEADER)) / BYTES_PER_SECOND
            cue = {"kind": "sentence", "start": start, "text": sentence}
            backend.add_cues(stream_id, [cue], epoch=audio.epoch)
            for piece in speech(sentence):
                audio.write(piece)


if __name__ == "__main__":
    speak(sys.argv[1], sys.argv[2])
