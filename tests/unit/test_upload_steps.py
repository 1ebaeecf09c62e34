"""How an upload is resumed, against a model of the server and of connections that break anywhere."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.client import RequestRejected, ServerUnreachable
from asf.client.calls import Call, Reply
from asf.client.conversations import RESUME_TRIES, report_upload_failure, resume_upload
from asf.client.responses import Uploaded
from asf.client.retry_window import RetryWindow
from asf.client.upload_calls import Arrived
from asf.client.upload_state import REPEATED_BYTES, UploadState
from asf.client.upload_steps import Pause, SendRest, Step, upload_steps

STARTED = Uploaded("s", "generating", "e1", 0)
ENDLESS = 1e9


@dataclass
class Server:
    """What a server has of an upload. `fate` says of each request how many bytes pass, and whether it is answered.

    With `is_checked`, a check acknowledges what has arrived before the response does. With `is_late`, a request whose
    response is lost completes the audio only after the next question.
    """

    fate: Callable[[], tuple[int, bool]]
    audio: bytearray = field(default_factory=bytearray)
    epoch: str = "e1"
    is_complete: bool = False
    is_checked: bool = False
    is_late: bool = False
    is_completing: bool = False
    requests: list[str] = field(default_factory=list)

    def perform(self, step: Step, state: UploadState) -> Any:
        """Return the result of a step, as a client does."""
        if isinstance(step, Pause):
            return None
        passing, is_answered = self.fate()
        if isinstance(step, SendRest):
            return self._send_rest(step, state, passing, is_answered=is_answered)
        assert isinstance(step, Call)
        self.requests.append(step.method)
        reply = self._head() if step.method == "HEAD" else self._append(step, passing)
        if self.is_checked:
            state.acknowledge(len(self.audio))
        if not is_answered:
            raise ServerUnreachable("The connection was lost.")
        return step.read(reply)

    def _send_rest(self, step: SendRest, state: UploadState, passing: int, *, is_answered: bool) -> None:
        self.requests.append("SEND")
        if problem := self._problem(step.headers):
            raise problem
        sent = 0
        while (piece := state.take()) and sent <= passing:
            self.audio += piece[: max(0, passing - sent)]
            sent += len(piece)
        if sent > passing:
            raise ServerUnreachable("The connection was lost.")
        self.is_completing = state.is_ended
        if is_answered or not self.is_late:
            self.is_complete = self.is_completing
        if not is_answered:
            raise ServerUnreachable("The connection was lost.")

    def _append(self, call: Call[Any], passing: int) -> Reply:
        assert call.headers["Upload-Complete"] == "?0"
        if problem := self._problem(call.headers):
            raise problem
        assert call.body is not None
        self.audio += call.body[:passing]
        if len(call.body) > passing:
            raise ServerUnreachable("The connection was lost.")
        body = f'{{"stream_id": "s", "state": "generating", "epoch": "{self.epoch}", "offset": {len(self.audio)}}}'
        return Reply("u", 200, {}, body.encode())

    def _problem(self, headers: Any) -> RequestRejected | None:
        if headers.get("If-Match", f'"{self.epoch}"') != f'"{self.epoch}"':
            return RequestRejected({"error_code": "ASF_PRECONDITION_FAILED"}, 412)
        if self.is_complete:
            return RequestRejected({"error_code": "ASF_UPLOAD_COMPLETE"}, 409)
        if headers["Upload-Offset"] != str(len(self.audio)):
            return RequestRejected({"error_code": "ASF_UPLOAD_OFFSET_MISMATCH"}, 409)
        return None

    def _head(self) -> Reply:
        complete = "?1" if self.is_complete else "?0"
        headers = {"Upload-Offset": str(len(self.audio)), "Upload-Complete": complete, "ETag": f'"{self.epoch}"'}
        self.is_complete |= self.is_completing
        return Reply("u", 200, headers, b"")


def upload(server: Server, state: UploadState, patience: float = ENDLESS) -> None:
    """Do all steps. Raises what ends the upload."""
    steps = upload_steps(STARTED, state, RetryWindow(patience))
    step = next(steps)
    try:
        while True:
            try:
                result = server.perform(step, state)
            except (ServerUnreachable, RequestRejected) as error:
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration:
        return


def always() -> tuple[int, bool]:
    """Let everything pass."""
    return 1 << 30, True


def state_of(audio: bytes) -> UploadState:
    """Return the state of an upload that is written to its end."""
    state = UploadState()
    assert state.write(memoryview(audio)) == len(audio)
    state.is_ended = True
    return state


@given(
    st.binary(max_size=300).map(lambda pattern: pattern * 1000),
    st.lists(st.tuples(st.integers(0, 200_000), st.booleans()), max_size=30),
    st.booleans(),
    st.booleans(),
)
def test_the_audio_is_complete_to_the_byte(
    audio: bytes, fates: list[tuple[int, bool]], is_checked: bool, is_late: bool
) -> None:
    """Wherever connections break, whichever responses are lost, and whoever finds out first what has arrived."""
    remaining = list(fates)
    server = Server(lambda: remaining.pop() if remaining else always(), is_checked=is_checked, is_late=is_late)
    upload(server, state_of(audio))
    assert server.is_complete
    assert server.audio == audio


def test_what_was_lost_is_sent_in_requests_of_known_length() -> None:
    """Each is small enough for a slow line, and its response is definite; then the rest follows."""
    audio = bytes(range(250)) * 4000
    state = state_of(audio)
    steps = upload_steps(STARTED, state, RetryWindow(ENDLESS))
    next(steps)
    for _ in range(12):
        state.take()
    sent = state.sent
    assert isinstance(steps.throw(ServerUnreachable("Lost.")), Pause)
    step, arrived = steps.send(None), 100_000
    assert isinstance(step, Call)
    assert step.method == "HEAD"
    step = steps.send(Arrived(arrived, is_complete=False))
    while isinstance(step, Call):
        assert step.body is not None
        assert 0 < len(step.body) <= REPEATED_BYTES
        assert (step.method, step.headers["Upload-Offset"]) == ("PATCH", str(arrived))
        assert step.body == audio[arrived : arrived + len(step.body)]
        arrived += len(step.body)
        step = steps.send(Uploaded("s", "generating", "e1", arrived))
    assert isinstance(step, SendRest)
    assert step.headers["Upload-Offset"] == str(sent) == str(arrived)


def test_an_upload_whose_last_response_is_lost_is_complete() -> None:
    """Nothing is sent again."""
    fates = iter([(1 << 30, False)])
    server = Server(lambda: next(fates, always()))
    upload(server, state_of(b"audio"))
    assert server.requests == ["SEND", "HEAD"]


def test_an_upload_that_is_completed_after_the_question_is_complete() -> None:
    """The server says so to the next request, and then which audio it has."""
    fates = iter([(1 << 30, False)])
    server = Server(lambda: next(fates, always()), is_late=True)
    upload(server, state_of(b"audio"))
    assert server.requests == ["SEND", "HEAD", "SEND", "HEAD"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda server: setattr(server, "epoch", "e2"), "ASF_EPOCH_CHANGED"),
        (lambda server: setattr(server, "is_complete", True), "ASF_UPLOAD_COMPLETE"),
        (lambda server: server.audio.extend(bytes(99)), "ASF_UPLOAD_TAKEN_OVER"),
    ],
    ids=["replaced", "completed", "continued"],
)
def test_an_upload_that_another_program_has_ended_ends(change: Callable[[Server], object], code: str) -> None:
    """With the reason, and without a byte more of it."""

    def fates() -> Iterator[tuple[int, bool]]:
        yield 2, True
        change(server)
        while True:
            yield always()

    server = Server(fates().__next__)
    with pytest.raises(RequestRejected) as rejection:
        upload(server, state_of(b"audio"))
    assert rejection.value.error_code == code
    assert bytes(server.audio[:3]) in {b"au", b"au\0"}


def test_retries_end_with_the_window() -> None:
    """With the last error."""
    server = Server(lambda: (0, False))
    with pytest.raises(ServerUnreachable):
        upload(server, state_of(b"audio"), patience=0)
    assert server.requests == ["SEND"]


def test_an_error_that_retries_do_not_fix_ends_the_upload() -> None:
    """At once."""
    rejection = RequestRejected({"error_code": "ASF_UPLOAD_TOO_LARGE"}, 413)
    steps = upload_steps(STARTED, UploadState(), RetryWindow(ENDLESS))
    assert next(steps) == SendRest(
        {"Upload-Offset": "0", "Content-Type": "application/octet-stream", "If-Match": '"e1"'}
    )
    with pytest.raises(RequestRejected) as raised:
        steps.throw(rejection)
    assert raised.value is rejection


@pytest.mark.parametrize(
    "error",
    [
        ServerUnreachable("Lost."),
        RequestRejected({"error_code": "ASF_STORAGE_FULL"}, 507),
        RequestRejected({"error_code": "ASF_DRAINING"}, 503),
        RequestRejected({"error_code": "ASF_UPLOAD_OFFSET_MISMATCH"}, 409),
        RequestRejected({"error_code": "ASF_BAD_REQUEST"}, 400),
    ],
    ids=str,
)
def test_temporary_errors_are_waited_for(error: ServerUnreachable | RequestRejected) -> None:
    """Then it asks what has arrived."""
    steps = upload_steps(STARTED, UploadState(), RetryWindow(ENDLESS))
    next(steps)
    assert isinstance(steps.throw(error), Pause)
    asked = steps.send(None)
    assert isinstance(asked, Call)
    assert (asked.method, asked.route) == ("HEAD", "streams/s/audio")


def test_an_upload_is_claimed_at_the_offset_that_it_has_by_then() -> None:
    """Another program may still be sending; but not for ever."""
    mismatch = RequestRejected({"error_code": "ASF_UPLOAD_OFFSET_MISMATCH"}, 409)
    claim = resume_upload("s")
    question = next(claim)
    for offset in range(RESUME_TRIES):
        assert question.method == "HEAD"
        headers = {"Upload-Offset": str(offset), "Upload-Complete": "?0", "ETag": '"e"'}
        request = claim.send(question.read(Reply("u", 200, headers, b"")))
        assert (request.method, request.headers["Upload-Offset"], request.body) == ("PATCH", str(offset), b"")
        assert "If-Match" not in request.headers
        if offset == RESUME_TRIES - 1:
            break
        question = claim.throw(mismatch)
    with pytest.raises(RequestRejected):
        claim.throw(mismatch)


@pytest.mark.parametrize(
    ("error", "epoch", "state", "is_reported"),
    [
        (RuntimeError("no voice"), "e1", "generating", True),
        (RuntimeError("no voice"), "e2", "generating", False),
        (RuntimeError("no voice"), "e1", "complete", False),
        (RequestRejected({"error_code": "ASF_UPLOAD_TOO_LARGE"}, 413), "e1", "generating", True),
        (RequestRejected({"error_code": "ASF_UPLOAD_TAKEN_OVER"}, 409), "e1", "generating", False),
    ],
)
def test_a_failure_is_reported_for_its_own_upload_only(
    error: Exception, epoch: str, state: str, *, is_reported: bool
) -> None:
    """Not for one that another program has started, continues or has ended."""
    report = report_upload_failure(STARTED, error)
    requests = []
    try:
        call = next(report)
        while True:
            requests.append(call.method)
            body = (
                f'{{"stream_id": "s", "state": "{state}", "epoch": "{epoch}", "filepath": "", "content_type": null, '
            )
            body += '"metadata": null, "reason": null, "announced_at": 0}'
            call = report.send(call.read(Reply("u", 200, {}, body.encode())))
    except StopIteration:
        pass
    assert ("POST" in requests) == is_reported
