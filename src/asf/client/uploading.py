"""Audio that is uploaded while it is being generated, over blocking HTTP."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asf.client import upload_calls
from asf.client.calls import Call
from asf.client.demand import DemandPoll
from asf.client.errors import AsfClientError, RequestRejected, ServerUnreachable
from asf.client.generated_audio import GeneratedAudio
from asf.client.internal_api import InternalApi
from asf.client.responses import Uploaded
from asf.client.retry_window import RetryWindow
from asf.client.upload_state import ArrivalChecks, UploadState
from asf.client.upload_steps import Pause, SendRest, Step, upload_steps

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

DELIVERY_SECONDS = 5.0
"""How long an upload that has failed waits until listeners can have what was written before."""


class UploadedAudio(GeneratedAudio):
    """Audio that is uploaded as it is written.

    `write` returns at once and the bytes are sent by a thread, in one request for all of the audio; small pieces are
    put together while the connection is busy. At most 4 MiB wait for being sent or for being acknowledged: then
    `write` blocks. If the connection is lost, it is resumed at the byte that the server says, until `patience`
    seconds have passed without progress.
    """

    def __init__(
        self, api: InternalApi, started: Uploaded, patience: float, demand: DemandPoll | None = None
    ) -> None:
        super().__init__(started.stream_id, started.epoch, demand)
        self.total_bytes = started.offset
        self.is_left_open = False
        self._state = UploadState(started.offset)
        self._checks = ArrivalChecks(self._state)
        self._window = RetryWindow(patience)
        self._started = started
        self._api = api
        self._changed = threading.Condition()
        self._is_broken = False  # The request that is being sent must be given up.
        self._is_stopped = False  # No request must be sent any more.
        self._is_over = False  # No request is sent any more.
        self._hurries = False
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for work, name in ((self._send_all, "asf-upload"), (self._check_arrivals, "asf-upload-checks"))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def acknowledged(self) -> int:
        """How many bytes of the audio the server is known to have."""
        return self._state.acknowledged

    def write(self, audio: "ReadableBuffer", /) -> int:
        """Take all of `audio` for sending, and return its length in bytes. Waits while too much is under way.

        Raises the error that has ended the upload: `RequestRejected` or `ServerUnreachable`.
        """
        rest = memoryview(audio).cast("B")
        length = len(rest)
        with self._changed:
            while rest:
                self._check()
                taken = self._state.write(rest)
                if taken:
                    rest = rest[taken:]
                    self.total_bytes = self._state.total_bytes
                    self._changed.notify_all()
                else:
                    self._changed.wait()
            self._check()
        return length

    def leave_open(self) -> None:
        """Let the stream stay `generating` at the end of the block, however it is left: to be resumed later."""
        self.is_left_open = True

    def finish(self) -> None:
        """Wait until the server has all of the audio, and complete it, unless the stream is to be left open.

        The end of the block does this. Raises the error that has ended the upload. Idempotent.
        """
        self.close()
        if self.is_left_open:
            self.deliver(None)
            self.stop()
            self.raise_failure()
            return
        with self._changed:
            self._state.is_ended = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_over)
        self._end()
        self.raise_failure()

    def deliver(self, seconds: float | None = DELIVERY_SECONDS) -> None:
        """Wait until the server has what was written, for at most `seconds`; or until the upload has failed."""
        with self._changed:
            self._hurries = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._state.is_delivered or self._is_over, seconds)
            self._hurries = False

    def stop(self) -> None:
        """End the upload without completing it. What was written and not yet sent is dropped. Raises nothing."""
        self.close()
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        self._end()

    def raise_failure(self) -> None:
        """Raise the error that has ended the upload, if any."""
        if self._failure is not None:
            raise self._failure

    def _check(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        self.raise_failure()

    def _end(self) -> None:
        for thread in self._threads:
            thread.join()

    def _send_all(self) -> None:
        """Do all the steps of the upload, in a thread."""
        with self._api.another() as api:
            try:
                self._drive(api)
            except _Stopped:
                pass
            except BaseException as error:  # noqa: BLE001 - raised where the audio is written
                self._failure = error
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _drive(self, api: InternalApi) -> None:
        steps = upload_steps(self._started, self._state, self._window)
        step = next(steps)
        with suppress(StopIteration):
            while True:
                try:
                    result = self._do(api, step)
                except AsfClientError as error:
                    with self._changed:
                        step = steps.throw(error)
                else:
                    with self._changed:
                        step = steps.send(result)

    def _do(self, api: InternalApi, step: Step) -> Any:
        match step:
            case SendRest(headers):
                with self._changed:
                    self._is_broken = False
                    self._checks.reset()
                reply = api.send("PATCH", upload_calls.audio_route(self.stream_id), self._pieces(), headers)
                upload_calls.check_complete(reply, self._state.total_bytes)
            case Pause(seconds):
                with self._changed:
                    if self._changed.wait_for(lambda: self._is_stopped, seconds):
                        raise _Stopped
            case Call():
                return api.do(step)
        return None

    def _pieces(self) -> Iterator[bytes]:
        """Yield what is written, until the end of the audio."""
        while piece := self._next_piece():
            yield piece

    def _next_piece(self) -> bytes:
        state = self._state
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_stopped or self._is_broken or state.is_ended or state.sent < state.total_bytes
            )
            if self._is_stopped:
                raise _Stopped
            if self._is_broken:
                raise ServerUnreachable("The server receives nothing of what is sent to it.")
            piece = state.take()
            if piece:
                self._checks.sent(time.monotonic())
                self._changed.notify_all()
            return piece

    def _check_arrivals(self) -> None:
        """Ask what has arrived whenever that is due, in a thread."""
        question = upload_calls.ask_arrived(self.stream_id, self.epoch)
        with self._api.another() as api:
            while self._wait_for_check():
                try:
                    arrived = api.do(question)
                except ServerUnreachable:
                    with self._changed:
                        is_bearable = self._checks.is_bearable(time.monotonic(), hurry=self._hurries)
                        self._give_up_unless(is_bearable)
                    continue
                except RequestRejected:
                    arrived = None
                with self._changed:
                    self._give_up_unless(self._checks.is_sound(arrived, time.monotonic()))

    def _give_up_unless(self, is_sound: bool) -> None:  # noqa: FBT001
        """Give up the request that is being sent, unless it is sound, and wake those who wait for a change."""
        self._is_broken |= not is_sound
        self._changed.notify_all()

    def _wait_for_check(self) -> bool:
        """Wait until a check is due. Returns False when the upload is over."""
        with self._changed:
            while not (self._is_over or self._is_stopped):
                at, now = self._checks.next_at(hurry=self._hurries), time.monotonic()
                if at is not None and at <= now:
                    return True
                self._changed.wait(None if at is None else at - now)
        return False


class _Stopped(Exception):
    """The upload must send nothing more."""
