"""Upload of audio (docs/contract.md, section 8): the route of a stream's audio under /asf/internal/."""

from collections.abc import Callable, Container
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.http import parse_etags

from asf.adapters.http_api.errors import (
    BadRequest,
    InvalidHeader,
    PreconditionFailed,
    UnsupportedMediaType,
    error_response,
)
from asf.adapters.http_api.internal_guard import InternalGuard
from asf.adapters.http_api.request_peer import current_peer
from asf.adapters.http_api.schemas import UploadQuerySchema
from asf.adapters.runtime import STREAMED_BODY, BodyInterrupted, BrokenBody, StreamedBody, control_of
from asf.domain.errors import (
    AsfError,
    Draining,
    EpochChanged,
    GenerationFailed,
    StreamStalled,
    UploadError,
)
from asf.domain.identifiers import MAX_OFFSET, content_type_problem
from asf.domain.streams.stream import AudioStream, StreamState
from asf.domain.uploads.service import Uploads
from asf.domain.uploads.writer import UploadWriter

UPLOAD_OFFSET, UPLOAD_COMPLETE = "Upload-Offset", "Upload-Complete"
"""Headers of the IETF's resumable uploads (draft-ietf-httpbis-resumable-upload)."""

TRUE, FALSE = "?1", "?0"
"""Booleans of structured headers (RFC 9651, section 3.3.6)."""

Begin = Callable[[Callable[[AsfError], object]], UploadWriter]


class UploadRoute:
    """Answers the requests for one upload. A sender may be silent for `idle_seconds`."""

    def __init__(self, uploads: Uploads, idle_seconds: float) -> None:
        self._uploads = uploads
        self._idle_seconds = idle_seconds
        self._query = UploadQuerySchema()

    def put(self, stream_id: str) -> Response:
        """Take the body as the stream's new audio."""
        _check_coding()
        if "Content-Range" in request.headers:
            raise InvalidHeader("Content-Range is not supported: to resume, use PATCH with Upload-Offset.")
        if request.headers.get(UPLOAD_OFFSET, "0") != "0":
            raise InvalidHeader("PUT starts at byte 0: to resume, use PATCH.")
        metadata = self._query.read(request.args)["metadata"]
        content_type = request.headers.get("Content-Type", "")
        declared = None if content_type_problem(content_type) else content_type
        return self._receive(
            lambda on_stop: self._uploads.begin(
                stream_id, on_stop, declared, request.content_length, metadata, current_peer()
            )
        )

    def patch(self, stream_id: str) -> Response:
        """Append the body to an upload."""
        _check_coding()
        text = request.headers.get(UPLOAD_OFFSET, "")
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_OFFSET))):
            raise InvalidHeader(f"{UPLOAD_OFFSET} must be the number of bytes that the server has.")
        return self._receive(
            lambda on_stop: self._uploads.resume(
                stream_id, int(text), on_stop, _epochs(), request.content_length, current_peer()
            )
        )

    def head(self, stream_id: str) -> Response:
        """Return where the upload continues."""
        stream, size = self._uploads.find(stream_id)
        if stream.state is StreamState.FAILED:
            response = _error(GenerationFailed(stream.reason), size)
        else:
            response = Response(status=HTTPStatus.OK)
            response.headers["Cache-Control"] = "no-store"
            response.headers[UPLOAD_COMPLETE] = TRUE if stream.state is StreamState.COMPLETE else FALSE
        response.headers[UPLOAD_OFFSET] = str(size)
        response.headers["ETag"] = f'"{stream.epoch}"'
        return response

    def _receive(self, begin: Begin) -> Response:
        """Write the body of the request, as it arrives, with the writer that `begin` returns."""
        control = control_of(request.environ)
        body: StreamedBody = request.environ[STREAMED_BODY]()
        if control.rejection is not None:
            raise control.rejection
        is_complete = _is_last_part()

        def stop(error: AsfError) -> None:
            if isinstance(error, Draining):  # Contract, section 8: such a sender resumes on another server.
                control.abort()
            body.interrupt()

        try:
            writer = begin(stop)
        except EpochChanged as error:
            if "If-Match" not in request.headers:  # It was regenerated just now.
                raise
            raise PreconditionFailed(f"The epoch is {error.epoch}.") from error
        try:
            stream = self._write(writer, body, is_complete=is_complete)
        except AsfError as error:
            return _error(error, writer.offset)
        finally:
            writer.close()
        return _received(stream, writer)

    def _write(self, writer: UploadWriter, body: StreamedBody, *, is_complete: bool) -> AudioStream:
        try:
            while piece := body.read(self._idle_seconds):
                writer.write(piece)
        except (BrokenBody, BodyInterrupted) as error:
            writer.check()
            raise BadRequest(f"{error} What arrived is kept.") from error
        except TimeoutError as error:
            raise writer.fail(StreamStalled(f"Nothing has arrived for {self._idle_seconds:g} s.")) from error
        return writer.finish(is_complete=is_complete)


def create_uploads_blueprint(uploads: Uploads, guard: InternalGuard, idle_seconds: float) -> Blueprint:
    """Return the route of uploads, protected by `guard`. A sender may be silent for `idle_seconds`."""
    blueprint = Blueprint("uploads", "asf", url_prefix="/asf/internal")
    blueprint.before_request(guard)
    route = UploadRoute(uploads, idle_seconds)
    views: dict[str, Callable[..., Any]] = {"PUT": route.put, "PATCH": route.patch, "HEAD": route.head}
    for method, view in views.items():
        blueprint.add_url_rule(
            "/streams/<stream_id:stream_id>/audio",
            method.lower(),
            view,
            methods=[method],
            provide_automatic_options=False,
        )

    @blueprint.errorhandler(UploadError)
    def answer(error: UploadError) -> Response:
        return _error(error, error.offset)

    return blueprint


def _received(stream: AudioStream, writer: UploadWriter) -> Response:
    is_complete = stream.state is StreamState.COMPLETE
    response = jsonify(
        message="Audio received." if is_complete else "Audio received; more can follow.",
        stream_id=stream.stream_id,
        epoch=stream.epoch,
        state=stream.state,
        offset=writer.offset,
    )
    response.status_code = HTTPStatus.CREATED if writer.is_new else HTTPStatus.OK
    response.headers[UPLOAD_OFFSET] = str(writer.offset)
    response.headers[UPLOAD_COMPLETE] = TRUE if is_complete else FALSE
    response.headers["ETag"] = f'"{stream.epoch}"'
    return response


def _error(error: AsfError, offset: int | None) -> Response:
    response, status = error_response(error)
    response.status_code = status
    if offset is not None:
        response.headers[UPLOAD_OFFSET] = str(offset)
    return response


def _check_coding() -> None:
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("The body must not be compressed (Content-Encoding).")


def _is_last_part() -> bool:
    """Return whether the end of the body is the end of the audio."""
    text = request.headers.get(UPLOAD_COMPLETE, TRUE).strip()
    if text not in {TRUE, FALSE}:
        raise InvalidHeader(f"{UPLOAD_COMPLETE} must be {TRUE} or {FALSE}.")
    return text == TRUE


def _epochs() -> Container[str] | None:
    """Return the epochs that `If-Match` names, None for any. A weak tag, as players get it, counts as well."""
    header = request.headers.get("If-Match")
    if header is None:
        return None
    tags = parse_etags(header)
    return None if tags.star_tag else {*tags.as_set(include_weak=True)}
