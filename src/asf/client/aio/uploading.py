"""Audio that an asyncio program uploads while it is being generated."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asf.client import upload_calls
from asf.client.aio.demand import AsyncDemandPoll
from asf.client.aio.generated_audio import AsyncGeneratedAudio
from asf.client.aio.internal_api import AsyncInternalApi
from asf.client.calls import Call
from asf.client.errors import AsfClientError, RequestRejected, ServerUnreachable
from asf.client.responses import Uploaded
from asf.client.retry_window import RetryWindow
from asf.client.upload_state import ArrivalChecks, UploadState
from asf.client.upload_steps import Pause, SendRest, Step, upload_steps
from asf.client.uploading import DELIVERY_SECONDS

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class AsyncUploadedAudio(AsyncGeneratedAudio):
    """Audio that is uploaded as it is written.

    `write` lets a task send the bytes, in one request for all of the audio; small pieces are put together while the
    connection is busy. At most 4 MiB wait for being sent or for being acknowledged: then `write` waits. If the
    connection is lost, it is resumed at the byte that the server says, until `patience` seconds have passed without
    progress.
    """

    def __init__(self, api: AsyncInternalApi, started: Uploaded, patience: float, demand: AsyncDemandPoll) -> None:
        super().__init__(started.stream_id, started.epoch, demand)
        self.is_left_open = False
        self._api = api
        self._started = started
        self._state = UploadState(started.offset)
        self._checks = ArrivalChecks(self._state)
        self._window = RetryWindow(patience)
        self._changed = asyncio.Event()
        self._is_closed = False
        self._is_broken = False  # The request that is being sent must be given up.
        self._hurries = False
        self._failure: BaseException | None = None
        loop = asyncio.get_running_loop()
        self._sending = loop.create_task(self._send_all())
        self._checking = loop.create_task(self._check_arrivals())

    @property
    def total_bytes(self) -> int:
        """How long the audio is so far."""
        return self._state.total_bytes

    @property
    def acknowledged(self) -> int:
        """How many bytes of the audio the server is known to have."""
        return self._state.acknowledged

    async def write(self, audio: "ReadableBuffer", /) -> int:
        """Take all of `audio` for sending, and return its length in bytes. Waits while too much is under way.

        Raises the error that has ended the upload: `RequestRejected` or `ServerUnreachable`.
        """
        rest = memoryview(audio).cast("B")
        length = len(rest)
        while rest:
            self._check()
            taken = self._state.write(rest)
            rest = rest[taken:]
            if taken:
                self._notify()
            else:
                await self._wait_until(lambda: self._state.room > 0 or self._sending.done())
        await asyncio.sleep(0)  # Lets the task send.
        self._check()
        return length

    def leave_open(self) -> None:
        """Let the stream stay `generating` at the end of the block, however it is left: to be resumed later."""
        self.is_left_open = True

    async def finish(self) -> None:
        """Wait until the server has all of the audio, and complete it, unless the stream is to be left open.

        Raises the error that has ended the upload.
        """
        self._is_closed = True
        if self.is_left_open:
            await self.deliver(None)
        else:
            self._state.is_ended = True
            self._notify()
            await self._wait_until(self._sending.done)
        await self.stop()
        self.raise_failure()

    async def deliver(self, seconds: float | None = DELIVERY_SECONDS) -> None:
        """Wait until the server has what was written, for at most `seconds`; or until the upload has failed."""
        self._hurries = True
        self._notify()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wait_until(lambda: self._state.is_delivered or self._sending.done())
        self._hurries = False

    async def stop(self) -> None:
        """End the upload without completing it. What was written and not yet sent is dropped."""
        self._is_closed = True
        for task in (self._sending, self._checking):
            task.cancel()
        await asyncio.gather(self._sending, self._checking, return_exceptions=True)

    def raise_failure(self) -> None:
        """Raise the error that has ended the upload, if any."""
        if self._failure is not None:
            raise self._failure

    def _check(self) -> None:
        if self._is_closed:
            raise ValueError("I/O operation on closed file.")
        self.raise_failure()

    def _notify(self) -> None:
        """Wake all tasks that wait for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait_until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._changed.wait()

    async def _send_all(self) -> None:
        """Do all the steps of the upload."""
        try:
            await self._drive()
        except Exception as error:  # noqa: BLE001 - raised where the audio is written
            self._failure = error
        finally:
            asyncio.get_running_loop().call_soon(self._notify)  # When the task is done.

    async def _drive(self) -> None:
        steps = upload_steps(self._started, self._state, self._window)
        step = next(steps)
        with suppress(StopIteration):
            while True:
                try:
                    result = await self._do(step)
                except AsfClientError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
                self._notify()

    async def _do(self, step: Step) -> Any:
        match step:
            case SendRest(headers):
                self._is_broken = False
                self._checks.reset()
                route = upload_calls.audio_route(self.stream_id)
                reply = await self._api.send("PATCH", route, self._pieces(), headers)
                upload_calls.check_complete(reply, self._state.total_bytes)
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Call():
                return await self._api.do(step, retries=0)
        return None

    async def _pieces(self) -> AsyncIterator[bytes]:
        """Yield what is written, until the end of the audio."""
        state = self._state
        while True:
            await self._wait_until(lambda: self._is_broken or state.is_ended or state.sent < state.total_bytes)
            if self._is_broken:
                raise ServerUnreachable("The server receives nothing of what is sent to it.")
            piece = state.take()
            if not piece:
                return
            self._checks.sent(time.monotonic())
            self._notify()
            yield piece

    async def _check_arrivals(self) -> None:
        """Ask what has arrived whenever that is due."""
        question = upload_calls.ask_arrived(self.stream_id, self.epoch)
        while True:
            await self._wait_for_check()
            try:
                arrived = await self._api.do(question, retries=0)
            except ServerUnreachable:
                is_sound = self._checks.is_bearable(time.monotonic(), hurry=self._hurries)
            except RequestRejected:
                is_sound = self._checks.is_sound(None, time.monotonic())
            else:
                is_sound = self._checks.is_sound(arrived, time.monotonic())
            self._is_broken |= not is_sound
            self._notify()

    async def _wait_for_check(self) -> None:
        while True:
            at, now = self._checks.next_at(hurry=self._hurries), time.monotonic()
            if at is not None and at <= now:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(None if at is None else at - now):
                    await self._changed.wait()
