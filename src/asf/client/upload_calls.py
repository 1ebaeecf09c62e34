"""The requests of an upload (docs/contract.md, section 8), and how their responses are read. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote_plus

from asf.client.calls import Call, Reply, is_temporary, reading, route_of
from asf.client.errors import AsfClientError, RequestRejected, ServerUnreachable
from asf.client.responses import Uploaded

OFFSET, COMPLETE = "Upload-Offset", "Upload-Complete"
"""Headers of the IETF's resumable uploads (draft-ietf-httpbis-resumable-upload)."""

TRUE, FALSE = "?1", "?0"
"""Booleans of structured headers (RFC 9651, section 3.3.6)."""

ASK_SECONDS = 5.0
"""Timeout of the question what has arrived. It is short: its connection may be the one that is broken."""

PATIENCE_SECONDS = 60.0
"""For how long an upload is resumed without progress, unless the caller says otherwise."""

MAX_QUERY_CHARACTERS = 4000
"""Longest metadata in a query, as it is encoded: half of what servers and proxies commonly accept as request line."""

RESUMABLE = frozenset({"ASF_UPLOAD_OFFSET_MISMATCH", "ASF_BAD_REQUEST", "ASF_REQUEST_TIMEOUT"})
"""Codes of 4xx responses after which an upload can be resumed: the request was wrong or broken, not the upload."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the server has of an upload: all bytes before `offset`, or all of the audio (`is_complete`)."""

    offset: int
    is_complete: bool


def audio_route(stream_id: str) -> str:
    """Return the route of the audio of a stream."""
    return route_of(stream_id) + "/audio"


def start_upload(
    stream_id: str, content_type: str | None, metadata: Mapping[str, Any] | None = None
) -> Call[Uploaded]:
    """Return the call that starts an upload, without audio. Too long `metadata` is to be announced afterwards.

    It returns the epoch, by which every later request knows that the upload is still its own. That is why the audio
    follows in another request: this one can be repeated.
    """
    headers = {COMPLETE: FALSE} | ({} if content_type is None else {"Content-Type": content_type})
    query = {} if metadata is None or is_too_long(metadata) else {"metadata": _json_of(metadata)}
    return Call("PUT", audio_route(stream_id), reading(Uploaded), b"", headers=headers, query=query)


def is_too_long(metadata: Mapping[str, Any]) -> bool:
    """Return whether servers and proxies may reject the metadata in a query. Raises what `json.dumps` raises."""
    return len(quote_plus(_json_of(metadata))) > MAX_QUERY_CHARACTERS


def append(stream_id: str, epoch: str | None, offset: int, audio: bytes = b"") -> Call[Uploaded]:
    """Return the call that appends `audio` to the upload of `epoch` (None: any), which then stays open."""
    headers = append_headers(epoch, offset) | {COMPLETE: FALSE}
    return Call("PATCH", audio_route(stream_id), reading(Uploaded), audio, headers=headers)


def append_headers(epoch: str | None, offset: int) -> dict[str, str]:
    """Return the headers of a request that continues the upload of `epoch` (None: any) at `offset`."""
    headers = {OFFSET: str(offset), "Content-Type": "application/octet-stream"}
    return headers if epoch is None else headers | {"If-Match": f'"{epoch}"'}


def ask_arrived(stream_id: str, epoch: str | None = None) -> Call[Arrived | None]:
    """Return the call that returns what has arrived; None for an error whose reason another request returns.

    It raises `RequestRejected` if the stream has another epoch than `epoch` (None: any).
    """

    def read(reply: Reply) -> Arrived | None:
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:  # A response to HEAD has no body that says more.
            raise ServerUnreachable(f"The server at {reply.url} has an error (HTTP status {reply.status}).")
        if reply.status >= HTTPStatus.BAD_REQUEST:
            return None
        try:
            arrived = Arrived(int(reply.headers[OFFSET]), reply.headers.get(COMPLETE) == TRUE)
        except (KeyError, ValueError):
            message = f"This is not a response of ASF: '{OFFSET}' is missing."
            raise ServerUnreachable(message, temporary=False) from None
        if epoch is not None and reply.headers.get("ETag") != f'"{epoch}"':
            raise RequestRejected(
                {"error_code": "ASF_EPOCH_CHANGED", "message": "Other audio was announced instead."}
            )
        return arrived

    return Call("HEAD", audio_route(stream_id), read, timeout=ASK_SECONDS)


def check_complete(reply: Reply, total_bytes: int) -> None:
    """Raise the error of the response to the request that completes an upload of `total_bytes`."""
    uploaded = reading(Uploaded)(reply)
    if (uploaded.state, uploaded.offset) != ("complete", total_bytes):
        raise ServerUnreachable(f"The server has received {uploaded.offset} of {total_bytes} bytes.")


def may_resume(error: AsfClientError) -> bool:
    """Return whether an upload can be resumed after `error`."""
    return is_temporary(error) or (isinstance(error, RequestRejected) and error.error_code in RESUMABLE)


def says_complete(error: AsfClientError) -> bool:
    """Return whether `error` is the server's statement that the upload is complete already."""
    return isinstance(error, RequestRejected) and error.error_code == "ASF_UPLOAD_COMPLETE"


def _json_of(metadata: Mapping[str, Any]) -> str:
    return json.dumps(dict(metadata), allow_nan=False, separators=(",", ":"))
