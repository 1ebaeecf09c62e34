"""The order of the requests of an upload, over all of its connections. No I/O."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from asf.client.calls import Call
from asf.client.errors import AsfClientError
from asf.client.responses import Uploaded
from asf.client.retry_window import RetryWindow
from asf.client.upload_calls import Arrived, append, append_headers, ask_arrived, may_resume, says_complete
from asf.client.upload_state import UploadState


@dataclass(frozen=True, slots=True)
class SendRest:
    """Send what is and will be written in one request with these `headers`. Its end completes the audio."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


Step = SendRest | Pause | Call[Any]
Steps = Generator[Step, Any, None]
"""What is to be done next. The result of a call is to be sent to the generator, an error to be thrown at it."""


def upload_steps(started: Uploaded, state: UploadState, window: RetryWindow) -> Steps:
    """Yield what to do from the start of an upload until its audio is complete.

    A lost connection is resumed at the byte that the server says, for as long as `window` allows. First, what was
    lost is sent in requests of known length: their responses are definite, so that an upload that cannot be continued
    ends with the server's reason. Raises the error that ends the upload.
    """
    while True:
        try:
            yield SendRest(append_headers(started.epoch, state.sent))
        except AsfClientError as error:
            if (yield from _resume(started, state, window, error)):
                return
        else:
            return


def _resume(
    started: Uploaded, state: UploadState, window: RetryWindow, error: AsfClientError
) -> Generator[Step, Any, bool]:
    """Yield what to do after `error`. Returns whether the audio is complete."""
    was_complete = False
    while True:
        # The server may have completed a request whose response was lost after it was asked for its offset. Whether
        # it was that request, only the next question tells.
        is_complete = says_complete(error)
        pause = window.next_pause() if may_resume(error) or (is_complete and not was_complete) else None
        if pause is None:
            raise error
        was_complete = is_complete
        yield Pause(pause)
        try:
            return (yield from _catch_up(started, state, window))
        except AsfClientError as following:
            error = following


def _catch_up(started: Uploaded, state: UploadState, window: RetryWindow) -> Generator[Step, Any, bool]:
    """Yield what to do until the server has all that was sent. Returns whether the audio is complete."""
    arrived: Arrived | None = yield ask_arrived(started.stream_id, started.epoch)
    if arrived is not None:
        if arrived.is_complete and state.is_ended and arrived.offset == state.total_bytes:
            return True
        if state.resume_at(arrived.offset):
            window.renew()
    must_ask = arrived is None or arrived.is_complete  # Why the upload cannot continue.
    while (lost := state.in_doubt()) or must_ask:
        offset = state.acknowledged  # A check may acknowledge more meanwhile.
        yield append(started.stream_id, started.epoch, offset, lost)
        must_ask = False
        if state.acknowledge(offset + len(lost)):
            window.renew()
    return False
