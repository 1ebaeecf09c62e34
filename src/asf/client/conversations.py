"""What takes several calls of the internal API, or a call and a decision. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

from asf.client.calls import Call, Conversation, get_stream, json_call, notify_new_audio, reading, route_of
from asf.client.cue_batches import batches_of
from asf.client.errors import AsfClientError, RequestRejected
from asf.client.responses import CuesAdded, Uploaded
from asf.client.upload_calls import RESUMABLE, append, ask_arrived

MAX_REASON_CHARACTERS = 1000
"""Longest failure reason that ASF accepts."""

STREAM_NOT_FOUND = "ASF_STREAM_NOT_FOUND"

RESUME_TRIES = 5
"""How often an upload is claimed whose offset has changed meanwhile, as another program was still sending."""

ENDED_ELSEWHERE = frozenset(
    {
        "ASF_EPOCH_CHANGED",
        "ASF_GENERATION_FAILED",
        "ASF_PRECONDITION_FAILED",
        STREAM_NOT_FOUND,
        "ASF_UPLOAD_COMPLETE",
        "ASF_UPLOAD_TAKEN_OVER",
    }
)
"""Codes of an upload that somebody else has ended, replaced or continues: it is not announced as failed."""


def delete_stream(stream_id: str) -> Conversation[None]:
    """Delete a stream. An attempt that finds none after another one has succeeded: that one's response was lost."""
    try:
        yield Call("DELETE", route_of(stream_id), lambda reply: reply.json())
    except RequestRejected as rejection:
        if rejection.error_code != STREAM_NOT_FOUND or rejection.attempt == 1:
            raise


def end_current_epoch(stream_id: str) -> Conversation[None]:
    """Ensure that the next announcement starts a new epoch, even if the last one was never ended."""
    try:
        earlier = yield get_stream(stream_id)
    except RequestRejected as rejection:
        if rejection.error_code != STREAM_NOT_FOUND:
            raise
        return
    if earlier.state == "generating":
        yield notify_new_audio(stream_id, None, "failed", reason="The audio is being regenerated.")


def resume_upload(stream_id: str) -> Conversation[Uploaded]:
    """Take over the upload that was left open, by a request without audio: its response says why if it cannot be."""
    tries = RESUME_TRIES
    while True:
        arrived = yield ask_arrived(stream_id)
        try:
            uploaded: Uploaded = yield append(stream_id, None, 0 if arrived is None else arrived.offset)
        except RequestRejected as rejection:
            tries -= 1
            if rejection.error_code not in RESUMABLE or not tries:
                raise
        else:
            return uploaded


def add_cues(stream_id: str, cues: Iterable[Mapping[str, Any]], epoch: str | None) -> Conversation[CuesAdded | None]:
    """Add cues in as many requests as they need, all for the same epoch."""
    added: CuesAdded | None = None
    accepted = 0
    for batch in batches_of(cues):
        payload = {"cues": batch, "epoch": epoch if added is None else added.epoch}
        added = yield json_call("POST", route_of(stream_id) + "/cues", payload, reading(CuesAdded))
        accepted += added.accepted
    return None if added is None else replace(added, accepted=accepted)


def report_failure(stream_id: str, filepath: str | PathLike[str] | None, error: BaseException) -> Conversation[None]:
    """Announce that `error` has ended the generation; or add a note to it that this was not possible."""
    reason = ": ".join(filter(None, [type(error).__name__, str(error)]))[:MAX_REASON_CHARACTERS]
    try:
        yield notify_new_audio(stream_id, filepath, "failed", reason=reason)
    except AsfClientError as failure:
        _add_note(error, stream_id, failure)


def report_upload_failure(started: Uploaded, error: BaseException) -> Conversation[None]:
    """Announce that `error` has ended an upload, unless somebody else has."""
    if isinstance(error, RequestRejected) and error.error_code in ENDED_ELSEWHERE:
        return
    try:
        stream = yield get_stream(started.stream_id)
    except AsfClientError as failure:
        _add_note(error, started.stream_id, failure)
        return
    if (stream.epoch, stream.state) == (started.epoch, "generating"):
        yield from report_failure(started.stream_id, None, error)


def _add_note(error: BaseException, stream_id: str, failure: AsfClientError) -> None:
    error.add_note(f"Could not report to ASF that '{stream_id}' has failed: {failure}")
