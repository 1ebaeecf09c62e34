"""Streams whose audio is being generated, from their announcement to their end, over asyncio."""

import asyncio
import io
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asf.client import calls, upload_calls
from asf.client.aio.demand import AsyncDemandPoll
from asf.client.aio.growing import AsyncGrowingAudio
from asf.client.aio.internal_api import AsyncInternalApi
from asf.client.aio.uploading import AsyncUploadedAudio
from asf.client.conversations import end_current_epoch, report_failure, report_upload_failure, resume_upload
from asf.client.errors import RequestRejected
from asf.client.growing import GrowingAudio, out_of_the_way
from asf.client.responses import Announced, Uploaded


class Endings:
    """What must be done to the end although the task that waits for it is cancelled, perhaps repeatedly."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def complete(self, ending: Coroutine[Any, Any, None]) -> None:
        """Do `ending` in a task of its own, and wait for it."""
        task = asyncio.get_running_loop().create_task(ending)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def wait(self) -> None:
        """Wait for all of them."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class AsyncGeneration:
    """One stream that is to be generated, with what is announced of it."""

    api: AsyncInternalApi
    endings: Endings
    stream_id: str
    content_type: str | None
    metadata: Mapping[str, Any] | None

    @asynccontextmanager
    async def in_file(self, path: Path) -> AsyncIterator[AsyncGrowingAudio]:
        """Yield the new file at `path`, which the server reads as it grows."""
        announced = await self._announced(path)
        file: GrowingAudio | None = None
        try:
            file = await asyncio.to_thread(_new_file, path, announced)
            yield AsyncGrowingAudio(file, AsyncDemandPoll(self.api, self.stream_id, announced.epoch, path))
        except BaseException as error:
            await self.endings.complete(self.api.run(report_failure(self.stream_id, path, error)))
            raise
        finally:
            if file is not None:
                file.close()
        await self.api.do(calls.notify_new_audio(self.stream_id, path, "complete", total_bytes=file.total_bytes))

    @asynccontextmanager
    async def uploaded(self, patience: float, *, resume: bool) -> AsyncIterator[AsyncUploadedAudio]:
        """Yield audio that is uploaded; with `resume`, that of an upload that was left open."""
        if resume:
            started = await self.api.run(resume_upload(self.stream_id))
        else:
            start = upload_calls.start_upload(self.stream_id, self.content_type, self.metadata)
            started = await self.api.do(start)
        audio: AsyncUploadedAudio | None = None
        try:
            if self.metadata is not None and (resume or upload_calls.is_too_long(self.metadata)):
                metadata = calls.notify_new_audio(self.stream_id, None, "generating", metadata=self.metadata)
                await self.api.do(metadata)
            demand = AsyncDemandPoll(self.api, self.stream_id, started.epoch)
            audio = AsyncUploadedAudio(self.api, started, patience, demand)
            yield audio
            await audio.finish()
        except BaseException as error:
            await self.endings.complete(self._end_upload(started, audio, error))
            raise

    async def _announced(self, path: Path) -> Announced:
        """Announce the file, and delete an earlier one."""
        with ExitStack() as stack:
            await asyncio.to_thread(stack.enter_context, out_of_the_way(path))
            await self.api.run(end_current_epoch(self.stream_id))
            announcement = calls.notify_new_audio(
                self.stream_id, path, "generating", self.content_type, self.metadata
            )
            try:
                return await self.api.do(announcement)
            except RequestRejected:
                raise
            except BaseException as error:  # The announcement may have arrived.
                await self.endings.complete(self.api.run(report_failure(self.stream_id, path, error)))
                raise

    async def _end_upload(self, started: Uploaded, audio: AsyncUploadedAudio | None, error: BaseException) -> None:
        """Announce that `error` has ended the upload, once listeners can have what was written before."""
        try:
            if audio is None or not audio.is_left_open:
                if audio is not None:
                    await audio.deliver()
                await self.api.run(report_upload_failure(started, error))
        finally:
            if audio is not None:
                await audio.stop()


def _new_file(path: Path, announced: Announced) -> GrowingAudio:
    path.parent.mkdir(parents=True, exist_ok=True)
    return GrowingAudio(io.FileIO(path, "x"), announced.stream_id, announced.epoch)
