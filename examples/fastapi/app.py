"""A FastAPI application that generates episodes with an OpenAI-compatible speech API, and uploads them to ASF.

    uvicorn app:app --port 8000

Environment: OPENAI_BASE_URL, OPENAI_API_KEY, ASF_URL and ASF_INTERNAL_API_TOKEN.
"""

import asyncio
import logging
import os
import re
import secrets
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from asf.client import AsfClientError
from asf.client.aio import AsyncBackendClient, AsyncUploadedAudio

SPEECH_URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/audio/speech"
API_KEY = os.environ.get("OPENAI_API_KEY", "")
ASF_URL = os.environ.get("ASF_URL", "http://127.0.0.1:5006")
ASF_TOKEN = os.environ.get("ASF_INTERNAL_API_TOKEN")

# The format `pcm` of the speech API: 24 kHz, 16 bits, mono. So the length of the audio is its duration, exactly.
BYTES_PER_SECOND = 48_000
WAV_HEADER = struct.pack(
    "<4sI4s4sIHHIIHH4sI", b"RIFF", 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 1, 24_000, 48_000, 2, 16, b"data", 0xFFFFFFFF
)

logger = logging.getLogger("uvicorn.error")


class Script(BaseModel):
    """What is to be spoken."""

    text: str = Field(min_length=1, max_length=4096)


class Studio:
    """Generates episodes in tasks, and announces those as failed that the end of the application cancels."""

    def __init__(self, backend: AsyncBackendClient, speech_api: httpx.AsyncClient) -> None:
        self._backend = backend
        self._speech_api = speech_api
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, text: str) -> str:
        """Start to generate an episode, and return its stream id."""
        stream_id = f"episode-{secrets.token_hex(8)}"
        task = asyncio.create_task(self._generate(stream_id, text))
        self._tasks.add(task)  # The event loop itself keeps only weak references.
        task.add_done_callback(self._tasks.discard)
        return stream_id

    async def close(self) -> None:
        """Cancel what is being generated."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _generate(self, stream_id: str, text: str) -> None:
        """Upload the audio as the speech API generates it, sentence by sentence, with each sentence as a cue.

        If that fails, the stream has failed with the reason.
        """
        try:
            async with self._backend.generating(stream_id, content_type="audio/wav") as audio:
                await audio.write(WAV_HEADER)
                for sentence in re.split(r"(?<=[.!?])\s+", text.strip()):
                    start = (audio.total_bytes - len(WAV_HEADER)) / BYTES_PER_SECOND
                    cue = {"kind": "sentence", "start": start, "text": sentence}
                    await self._backend.add_cues(stream_id, [cue], epoch=audio.epoch)
                    await self._speak(sentence, audio)
        except (AsfClientError, httpx.HTTPError) as error:
            logger.warning("Generating %s failed: %r", stream_id, error)

    async def _speak(self, sentence: str, audio: AsyncUploadedAudio) -> None:
        request = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": sentence, "response_format": "pcm"}
        async with self._speech_api.stream("POST", SPEECH_URL, json=request) as response:
            response.raise_for_status()
            async for piece in response.aiter_bytes():
                await audio.write(piece)


@asynccontextmanager
async def lifespan(application: FastAPI) -> AsyncIterator[None]:
    """Have the clients while the application runs."""
    headers = {"Authorization": f"Bearer {API_KEY}"}
    async with (
        AsyncBackendClient(ASF_URL, token=ASF_TOKEN) as backend,
        httpx.AsyncClient(headers=headers, timeout=60) as speech_api,
    ):
        application.state.studio = Studio(backend, speech_api)
        yield
        await application.state.studio.close()


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=HTMLResponse)
async def page() -> str:
    """Return the page with the form and the player."""
    return Path(__file__).with_name("index.html").read_text().replace("ASF_URL", ASF_URL)


@app.post("/episodes", status_code=202)
async def create_episode(script: Script) -> dict[str, str]:
    """Start to generate an episode. The browser can play it at once."""
    return {"stream_id": app.state.studio.start(script.text)}
