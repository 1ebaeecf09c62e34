"""The file of audio that an asyncio program generates."""

import asyncio
from typing import TYPE_CHECKING

from asf.client.aio.demand import AsyncDemandPoll
from asf.client.aio.generated_audio import AsyncGeneratedAudio
from asf.client.growing import GrowingAudio

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class AsyncGrowingAudio(AsyncGeneratedAudio):
    """A file that the server reads while it grows, written in worker threads."""

    def __init__(self, file: GrowingAudio, demand: AsyncDemandPoll) -> None:
        super().__init__(file.stream_id, file.epoch, demand)
        self._file = file

    @property
    def total_bytes(self) -> int:
        """How long the audio is so far."""
        return self._file.total_bytes

    async def write(self, audio: "ReadableBuffer", /) -> int:
        """Write all of `audio`, and return its length in bytes. Raises OSError."""
        return await asyncio.to_thread(self._file.write, audio)
